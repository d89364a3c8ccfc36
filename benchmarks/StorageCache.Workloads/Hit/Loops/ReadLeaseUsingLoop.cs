using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>
/// Reads under a shared lease that a <c>using</c> gives back. The runtime keeps locals of a protected region in memory,
/// so this costs more than the same lease given back by hand.
/// </summary>
internal sealed class ReadLeaseUsingLoop(Mapping mapping) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        Mapping source = mapping;
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            using PageReadLease lease = source.Read(page);
            sum += MemoryMarshal.Read<long>(lease.Span);
        }

        return sum;
    }
}
