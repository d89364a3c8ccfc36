using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>Reads optimistically under a pin.</summary>
internal sealed class PinLoop(Mapping mapping) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        Mapping source = mapping;
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            PagePin pin = source.Pin(page);
            long value;
            OptimisticRead read;
            do
            {
                while (!pin.TryReadOptimistic(out read))
                {
                }

                value = MemoryMarshal.Read<long>(read.Span);
            }
            while (!read.Validate());

            pin.Dispose();
            sum += value;
        }

        return sum;
    }
}
