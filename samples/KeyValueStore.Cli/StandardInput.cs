namespace StorageCache.KeyValueStore.Cli;

/// <summary>Stdin whose reads can be cancelled: the system's read of a terminal or pipe cannot, and would keep Ctrl-C waiting for input.</summary>
internal sealed class StandardInput : Stream
{
    private readonly Stream _stream = Console.OpenStandardInput();

    /// <summary>Receives what is read: a read that was given up may still write here, and the caller's buffer is not its any more.</summary>
    private readonly byte[] _buffer = new byte[16 * 1024];

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int most = Math.Min(buffer.Length, _buffer.Length);
        int count = await Task.Run(() => _stream.Read(_buffer, 0, most), CancellationToken.None).WaitAsync(cancellationToken);
        _buffer.AsMemory(0, count).CopyTo(buffer);
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => _stream.Read(buffer, offset, count);

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
