using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>Reads under a shared lease.</summary>
internal sealed class ReadLeaseLoop(Mapping mapping) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        Mapping source = mapping;
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            PageReadLease lease = source.Read(page);
            sum += MemoryMarshal.Read<long>(lease.Span);
            lease.Dispose();
        }

        return sum;
    }
}
