namespace StorageCache.KeyValueStore.Tests;

/// <summary>A source that fails 50,000 bytes before its end.</summary>
internal sealed class FailingStream(int length) : MemoryStream(new byte[length])
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Position < Length - 50_000 ? base.ReadAsync(buffer, cancellationToken) : throw new IOException("the source failed");
}
