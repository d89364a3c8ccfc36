using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>
/// Writes under an exclusive lease. The page's own number is written, so the bytes stay what they are, and the page is
/// not marked dirty: what that costs is another measurement.
/// </summary>
internal sealed class WriteLeaseLoop(Mapping mapping) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        Mapping source = mapping;
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            PageWriteLease lease = source.Write(page);
            MemoryMarshal.Write(lease.Span, (long)page);
            lease.Dispose();
            sum += page;
        }

        return sum;
    }
}
