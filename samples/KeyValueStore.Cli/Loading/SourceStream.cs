using System.IO.Hashing;
using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>A file being put: counts and hashes what is read of it, and tells errors of the file from errors of the store.</summary>
/// <exception cref="SourceException">From a read: the file cannot be read on, or has become too long.</exception>
internal sealed class SourceStream(Stream source) : SequentialSource
{
    private readonly XxHash3 _hash = new();

    public long BytesRead { get; private set; }

    /// <summary>XXH3 of what has been read so far.</summary>
    public ulong Hash => _hash.GetCurrentHashAsUInt64();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int count;
        try
        {
            count = await source.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SourceException(SkipReason.Unreadable, exception.Message, exception);
        }

        BytesRead += count;
        if (BytesRead > KeyValueStore.MaximumValueLength)
        {
            throw new SourceException(SkipReason.TooLarge, "it has grown to more bytes than a value may have");
        }

        _hash.Append(buffer.Span[..count]);
        return count;
    }
}
