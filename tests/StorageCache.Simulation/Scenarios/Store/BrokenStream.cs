namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>A source that fails after so many bytes. Not thread-safe.</summary>
internal sealed class BrokenStream(int length) : Stream
{
    private int _left = length;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        int given = Math.Min(count, _left);
        if (given == 0)
        {
            throw new EndException();
        }

        _left -= given;
        buffer.AsSpan(offset, given).Clear();
        return given;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int given = Math.Min(buffer.Length, _left);
        if (given == 0)
        {
            return ValueTask.FromException<int>(new EndException());
        }

        _left -= given;
        buffer.Span[..given].Clear();
        return new ValueTask<int>(given);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>How it fails.</summary>
    public sealed class EndException : Exception;
}
