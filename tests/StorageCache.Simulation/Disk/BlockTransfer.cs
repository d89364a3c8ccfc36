using StorageCache.IO;

namespace StorageCache.Simulation.Disk;

/// <summary>A transfer of the cache's.</summary>
internal sealed class BlockTransfer(SimulatedFile file, BlockRequest request)
    : TransferRequest(file, request.Operation == BlockOperation.Write, request.Offset, request.ByteCount)
{
    /// <inheritdoc/>
    public override void Fail(IOException error) => request.Fail(error);

    /// <inheritdoc/>
    protected override Span<byte> Bytes(int position, int count)
    {
        // All segments but the last are pages.
        int page = request.Segments[0].Length;
        return request.Segments[position / page].Span.Slice(position % page, count);
    }

    /// <inheritdoc/>
    protected override void OnCompleted(int bytes) => request.Complete(bytes);
}
