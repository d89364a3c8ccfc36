using StorageCache.Diagnostics;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>Checks a cache that nobody uses any more.</summary>
internal static class Quiet
{
    /// <summary>
    /// Waits until what the cache itself had begun has ended, then demands that everything agrees. The flusher and the
    /// evictor may begin something again at any time, so a finding counts only if it stays.
    /// </summary>
    public static async Task CheckAsync(PageCache cache, string when, int pins = 0, int holds = 0)
    {
        IReadOnlyList<string> problems = [];
        for (int attempt = 0; attempt < 100; attempt++)
        {
            problems = IntegrityCheck.Run(cache.Core, pins, holds);
            if (problems.Count == 0)
            {
                return;
            }

            await Task.Delay(attempt < 20 ? 10 : 50);
        }

        Assert.Fail($"{when} (seed {StressTime.Seed}):\n{string.Join("\n", problems.Take(30))}");
    }
}
