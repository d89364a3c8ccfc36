using System.Diagnostics;
using System.Globalization;

namespace StorageCache.Simulation.Running;

/// <summary>Starts <see cref="Worker"/>s.</summary>
internal static class WorkerProcess
{
    /// <summary>How a worker is to be started.</summary>
    /// <param name="scenario">Name of the scenario.</param>
    /// <param name="firstSeed">Its first seed.</param>
    /// <param name="count">How many.</param>
    /// <param name="stride">From one to the next.</param>
    /// <param name="trace">Whether it writes a trace, before the report.</param>
    public static ProcessStartInfo Describe(string scenario, ulong firstSeed, ulong count, ulong stride, bool trace)
    {
        // By its assembly: the program beside it is there for people, and a test has another one.
        ProcessStartInfo start = new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList =
            {
                "exec",
                typeof(WorkerProcess).Assembly.Location,
                "worker",
                "--scenario",
                scenario,
                "--seed",
                firstSeed.ToString(CultureInfo.InvariantCulture),
                "--count",
                count.ToString(CultureInfo.InvariantCulture),
                "--stride",
                stride.ToString(CultureInfo.InvariantCulture),
            },
            Environment = { [Worker.ProcessorCount] = "1" },
        };
        if (trace)
        {
            start.ArgumentList.Add("--trace");
        }

        return start;
    }
}
