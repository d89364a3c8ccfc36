using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Wait;

/// <summary>
/// What waking costs: one waiter while many others wait for other pages, beside 256 hashed queues; and very many waiters
/// for one page.
/// </summary>
internal sealed class WaitWorkload : IWorkload
{
    private const int OneBufferWaiters = 10_000;

    /// <inheritdoc/>
    public string Name => "wait";

    /// <inheritdoc/>
    public string Description => "waking one waiter among 1,000 to 100,000, beside 256 hashed queues; 10,000 waiters for one page";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        await MeasureSpreadAsync(context);
        await MeasureOneBufferAsync(context);
    }

    private static async Task MeasureSpreadAsync(WorkloadContext context)
    {
        int rounds = context.Rounds(quickRounds: 7, fullRounds: 21);
        int wakes = context.Quick ? 10_000 : 20_000;
        context.Note($"wait: spread, {rounds} rounds of {wakes:N0} wakes");
        await using SpreadSize small = await SpreadSize.CreateAsync("1k", 1_000);
        await using SpreadSize middle = await SpreadSize.CreateAsync("10k", 10_000);
        await using SpreadSize large = await SpreadSize.CreateAsync("100k", 100_000);
        SpreadSize[] sizes = [small, middle, large];

        // The first rounds bring the code to its final form, with pauses in which the runtime compiles.
        const int WarmUpRounds = 3;
        for (int round = -WarmUpRounds; round < rounds; round++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            foreach (SpreadSize size in int.IsOddInteger(round) ? sizes.Reverse() : sizes)
            {
                size.Round(wakes, isCounted: round >= 0);
            }

            if (round < 0)
            {
                Thread.Sleep(250);
            }
        }

        foreach (SpreadSize size in sizes)
        {
            size.Report(context.Report);
        }

        context.Report.Add("wait.spread.p99_ratio_100k_to_1k", RoundSamples.Ratio(large.P99, small.P99), "ratio", Target.AtMost(2));
        context.Report.Add("wait.spread_parked.p99_ratio_100k_to_1k", RoundSamples.Ratio(large.ParkedP99, small.ParkedP99), "ratio");
    }

    private static async Task MeasureOneBufferAsync(WorkloadContext context)
    {
        const int WarmUpRounds = 5;
        int rounds = context.Rounds(quickRounds: 11, fullRounds: 51);
        context.Note($"wait: one buffer, {rounds} rounds of {OneBufferWaiters:N0} waiters");
        await using OneBuffer buffer = await OneBuffer.CreateAsync(OneBufferWaiters);
        RoundSamples shared = new();
        RoundSamples exclusive = new();
        for (int round = -WarmUpRounds; round < rounds; round++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            double sharedMicroseconds = buffer.WakeReaders();
            double exclusiveMicroseconds = buffer.HandOverToWriters();
            if (round >= 0)
            {
                shared.Add(sharedMicroseconds);
                exclusive.Add(exclusiveMicroseconds);
            }
        }

        context.Report.Add("wait.one_buffer.10k.us_per_waiter", shared, "us");
        context.Report.Add("wait.one_buffer_exclusive.10k.us_per_waiter", exclusive, "us");
    }
}
