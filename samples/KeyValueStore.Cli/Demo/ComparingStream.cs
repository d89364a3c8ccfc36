using System.Buffers;
using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>Compares what is written to it with a file, byte for byte, and keeps nothing but a hash.</summary>
/// <param name="file">The file; null when there is none to compare with.</param>
internal sealed class ComparingStream(FileStream? file) : Stream
{
    private readonly XxHash3 _hash = new();
    private FileStream? _file = file;
    private long _position;

    /// <summary>Offset of the first byte that differs; -1 when none has been seen.</summary>
    public long DifferenceAt { get; private set; } = -1;

    /// <summary>Why the file could not be read to where it was needed; null when it could.</summary>
    public string? ReadError { get; private set; }

    /// <summary>XXH3 of what has been written.</summary>
    public ulong Hash => _hash.GetCurrentHashAsUInt64();

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
        _hash.Append(buffer.Span);
        byte[] rented = ArrayPool<byte>.Shared.Rent(Math.Max(buffer.Length, 1));
        try
        {
            int read = await ReadFileAsync(rented.AsMemory(0, buffer.Length), cancellationToken);
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
    public async ValueTask<bool> IsAtEndAsync(CancellationToken cancellationToken) => await ReadFileAsync(new byte[1], cancellationToken) == 0;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private async ValueTask<int> ReadFileAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_file is null)
        {
            return 0;
        }

        try
        {
            return await _file.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            ReadError = exception.Message;
            _file = null;
            return 0;
        }
    }
}
