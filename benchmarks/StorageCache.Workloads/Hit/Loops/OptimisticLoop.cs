using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>Reads optimistically, again when the page changed meanwhile.</summary>
internal sealed class OptimisticLoop(Mapping mapping) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        Mapping source = mapping;
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            long value;
            OptimisticRead read;
            do
            {
                read = source.ReadOptimistic(page);
                value = MemoryMarshal.Read<long>(read.Span);
            }
            while (!read.Validate());

            sum += value;
        }

        return sum;
    }
}
