using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Running;

/// <summary>
/// The process that simulates: with one processor, and one thread in its pool, on which everything runs in the order in which it comes
/// (SIM-2).
/// </summary>
internal static class Worker
{
    /// <summary>Seeds after which the address space of their caches is given back.</summary>
    private const ulong SeedsPerCollection = 32;

    /// <summary>Tells the runtime how many processors there are; a pool cannot have fewer threads.</summary>
    public const string ProcessorCount = "DOTNET_PROCESSOR_COUNT";

    /// <summary>Runs seeds and writes a report of each, until one has a violation.</summary>
    /// <param name="scenario">What to simulate.</param>
    /// <param name="firstSeed">The first.</param>
    /// <param name="count">How many.</param>
    /// <param name="stride">From one to the next.</param>
    /// <param name="reports">Where the reports go.</param>
    /// <param name="trace">Where the trace goes; null for nowhere.</param>
    /// <returns>Whether all was well.</returns>
    /// <exception cref="InvalidOperationException">The process has more than one processor.</exception>
    public static bool Run(IScenario scenario, ulong firstSeed, ulong count, ulong stride, TextWriter reports, TextWriter? trace)
    {
        if (!ThreadPool.SetMinThreads(1, 1) || !ThreadPool.SetMaxThreads(1, 1))
        {
            throw new InvalidOperationException($"A worker is to be started with {ProcessorCount}=1.");
        }

        for (ulong i = 0; i < count; i++)
        {
            // This thread is not the pool's: it does nothing but wait.
            SimulationResult result = Driver.RunAsync(scenario, firstSeed + (i * stride), trace).GetAwaiter().GetResult();
            trace?.Flush();
            reports.WriteLine(SeedReport.Format(result));
            reports.Flush();
            if (result.Violation is not null)
            {
                return false;
            }

            if (i % SeedsPerCollection == SeedsPerCollection - 1)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        }

        return true;
    }
}
