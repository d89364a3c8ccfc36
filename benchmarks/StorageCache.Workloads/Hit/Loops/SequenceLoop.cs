namespace StorageCache.Workloads.Hit.Loops;

/// <summary>Touches nothing but the page numbers: what the choice of pages costs in every other loop.</summary>
internal sealed class SequenceLoop : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        long sum = 0;
        foreach (int page in pages.AsSpan(first, count))
        {
            sum += page;
        }

        return sum;
    }
}
