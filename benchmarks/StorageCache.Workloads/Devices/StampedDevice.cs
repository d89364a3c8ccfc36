using System.Buffers.Binary;
using StorageCache.IO;

namespace StorageCache.Workloads.Devices;

/// <summary>
/// A block device without storage: every page it gives out begins with the page's number and is zero after that, and
/// what is written to it is forgotten. Transfers complete at once on the calling thread, so what is measured over it is
/// the cache alone. Thread-safe.
/// </summary>
/// <param name="length">How long the device says it is, in bytes.</param>
/// <param name="pageSize">Page size of the cache above, in bytes.</param>
internal sealed class StampedDevice(long length, int pageSize) : IBlockDevice
{
    private long _length = length;

    /// <inheritdoc/>
    public string Name => "stamped";

    /// <inheritdoc/>
    public int Alignment => 512;

    /// <inheritdoc/>
    public long Length => Interlocked.Read(ref _length);

    /// <inheritdoc/>
    public bool IsReadOnly => false;

    /// <inheritdoc/>
    public void Submit(BlockRequest request) => Execute(request);

    /// <inheritdoc/>
    public void Execute(BlockRequest request)
    {
        switch (request.Operation)
        {
            case BlockOperation.Read:
                Stamp(request);
                request.Complete(request.ByteCount);
                break;
            case BlockOperation.Write:
                request.Complete(request.ByteCount);
                break;
            default:
                request.Complete(0);
                break;
        }
    }

    /// <inheritdoc/>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        Interlocked.Exchange(ref _length, length);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Stamp(BlockRequest request)
    {
        long page = request.Offset / pageSize;
        foreach (BlockSegment segment in request.Segments)
        {
            segment.Span.Clear();
            BinaryPrimitives.WriteInt64LittleEndian(segment.Span, page);
            page++;
        }
    }
}
