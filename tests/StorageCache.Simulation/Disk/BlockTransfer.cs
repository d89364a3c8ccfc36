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
        // No part is in two segments: these are whole sectors, but for the last.
        int segment = 0;
        for (; position >= request.Segments[segment].Length; segment++)
        {
            position -= request.Segments[segment].Length;
        }

        return request.Segments[segment].Span.Slice(position, count);
    }

    /// <inheritdoc/>
    protected override void OnCompleted(int bytes) => request.Complete(bytes);
}
