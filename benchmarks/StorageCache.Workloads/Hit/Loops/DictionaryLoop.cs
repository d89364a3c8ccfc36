using System.Collections.Concurrent;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>Looks an address up in a ConcurrentDictionary and reads there: no latch, no pin, nothing that keeps the page.</summary>
internal sealed unsafe class DictionaryLoop(ConcurrentDictionary<long, nint> dictionary) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        ConcurrentDictionary<long, nint> source = dictionary;
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            if (source.TryGetValue(page, out nint address))
            {
                sum += *(long*)address;
            }
        }

        return sum;
    }
}
