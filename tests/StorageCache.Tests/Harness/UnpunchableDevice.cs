using StorageCache.IO;

namespace StorageCache.Tests.Harness;

/// <summary>A memory device as an implementer makes it who does not know of holes.</summary>
internal sealed class UnpunchableDevice(MemoryBlockDevice inner) : IBlockDevice
{
    public string Name => inner.Name;

    public int Alignment => inner.Alignment;

    public long Length => inner.Length;

    public bool IsReadOnly => inner.IsReadOnly;

    public void Submit(BlockRequest request) => inner.Submit(request);

    public void Execute(BlockRequest request) => inner.Execute(request);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => inner.SetLengthAsync(length, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
