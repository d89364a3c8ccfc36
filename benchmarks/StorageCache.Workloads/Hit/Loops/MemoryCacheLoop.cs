using Microsoft.Extensions.Caching.Memory;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>Looks an address up in a MemoryCache and reads there. Its keys are objects, so every look-up boxes one.</summary>
internal sealed unsafe class MemoryCacheLoop(MemoryCache cache) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        MemoryCache source = cache;
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            if (source.TryGetValue((long)page, out object? address))
            {
                sum += *(long*)(nint)address!;
            }
        }

        return sum;
    }
}
