namespace StorageCache.Workloads.Hit;

/// <summary>One variant's share of a round.</summary>
/// <param name="Loop">The variant.</param>
/// <param name="Pattern">The pages to ask for; as many sequences as there are threads.</param>
/// <param name="First">
/// Where in the sequences the measured part begins; the batch before it is run unmeasured, so it is at least
/// <see cref="BatchSize"/>.
/// </param>
/// <param name="Batches">How many batches each thread measures.</param>
internal sealed record HitJob(IHitLoop Loop, PagePattern Pattern, int First, int Batches)
{
    /// <summary>
    /// Operations of one call into a loop. The call, which is a P/Invoke for the bare baseline, is spread over so many
    /// that it does not show.
    /// </summary>
    public const int BatchSize = 1 << 17;

    /// <summary>How many operations each thread measures.</summary>
    public int Operations => Batches * BatchSize;

    /// <summary>What the loop's sum must be if it touched the pages it was asked for: a page holds its own number.</summary>
    public long ExpectedSum => Pattern.Sequences.Sum(pages =>
    {
        long sum = 0;
        foreach (int page in pages.AsSpan(First, Operations))
        {
            sum += page;
        }

        return sum;
    });
}
