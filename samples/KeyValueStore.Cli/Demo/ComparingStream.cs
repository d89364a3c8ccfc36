using System.Buffers;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>Compares what is written to it with a file, byte for byte, and keeps nothing.</summary>
internal sealed class ComparingStream(FileStream file) : Stream
{
    private long _position;

    /// <summary>Offset of the first byte that differs; -1 when none has been seen.</summary>
    public long DifferenceAt { get; private set; } = -1;

    public long BytesCompared => _position;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(Math.Max(buffer.Length, 1));
        try
        {
            int read = await file.ReadAtLeastAsync(rented.AsMemory(0, buffer.Length), buffer.Length, throwOnEndOfStream: false, cancellationToken);
            int same = buffer.Span.CommonPrefixLength(rented.AsSpan(0, read));
            if (DifferenceAt < 0 && same < buffer.Length)
            {
                DifferenceAt = _position + same;
            }

            _position += buffer.Length;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Whether the file ends where the writing has ended.</summary>
    public async ValueTask<bool> IsAtEndAsync(CancellationToken cancellationToken) =>
        await file.ReadAsync(new byte[1], cancellationToken) == 0;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
