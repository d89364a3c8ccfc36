using System.Globalization;

namespace StorageCache.Tests.Stress;

/// <summary>
/// How long the stress and model tests run, and from which seed. By default a few seconds each, so that they fit into the
/// normal suite. <c>STORAGECACHE_STRESS_MINUTES</c> (a number, fractions allowed) gives each of them that many minutes
/// instead; <c>STORAGECACHE_STRESS_SEED</c> repeats the random choices of an earlier run, though not its schedule.
/// </summary>
internal static class StressTime
{
    /// <summary>Minutes per test, or null for the normal suite.</summary>
    public static double? Minutes { get; } = Number("STORAGECACHE_STRESS_MINUTES");

    /// <summary>The seed of this run.</summary>
    public static int Seed { get; } = (int?)Number("STORAGECACHE_STRESS_SEED") ?? Environment.TickCount;

    /// <summary>How long a test runs.</summary>
    /// <param name="secondsNormally">In the normal suite.</param>
    public static TimeSpan Of(double secondsNormally) =>
        Minutes is { } minutes ? TimeSpan.FromMinutes(minutes) : TimeSpan.FromSeconds(secondsNormally);

    private static double? Number(string name) =>
        double.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : null;
}
