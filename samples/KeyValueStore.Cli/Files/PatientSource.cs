namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>A terminal, pipe or device whose reads can be cancelled: the system's cannot, and would keep Ctrl-C waiting for input.</summary>
internal sealed class PatientSource(Stream source) : SequentialSource
{
    /// <summary>Receives what is read: a read that was given up may still write here, and the caller's buffer is not its any more.</summary>
    private readonly byte[] _buffer = new byte[16 * 1024];

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int most = Math.Min(buffer.Length, _buffer.Length);
        int count = await Task.Run(() => source.Read(_buffer, 0, most), CancellationToken.None).WaitAsync(cancellationToken);
        _buffer.AsMemory(0, count).CopyTo(buffer);
        return count;
    }
}
