using System.Globalization;
using System.Text.Json;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Running;

/// <summary>A result on its way from a worker process to the one that started it: one line of text. Immutable.</summary>
internal static class SeedReport
{
    /// <summary>The line of a result.</summary>
    public static string Format(SimulationResult result) => string.Create(
        CultureInfo.InvariantCulture,
        $"{result.Seed} {result.Hash:x16} {result.Events} {result.PowerLosses} {result.Operations} "
        + $"{string.Join(',', result.Strikes.OrderBy(static strike => strike.Key).Select(static strike => $"{strike.Key}={strike.Value}"))} "
        + $"{(result.Violation is null ? "" : JsonSerializer.Serialize(result.Violation))}");

    /// <summary>The result of a line.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static SimulationResult Parse(string line)
    {
        string[] parts = line.Split(' ', 7);
        if (parts.Length != 7)
        {
            throw new FormatException($"A worker said '{line}', which is no report.");
        }

        IEnumerable<string[]> strikes = parts[5].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(static strike => strike.Split('='));
        return new SimulationResult(
            ulong.Parse(parts[0], CultureInfo.InvariantCulture),
            ulong.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            long.Parse(parts[2], CultureInfo.InvariantCulture),
            int.Parse(parts[3], CultureInfo.InvariantCulture),
            long.Parse(parts[4], CultureInfo.InvariantCulture),
            strikes.ToDictionary(static strike => Enum.Parse<Fault>(strike[0]), static strike => long.Parse(strike[1], CultureInfo.InvariantCulture)),
            parts[6].Length == 0 ? null : JsonSerializer.Deserialize<string>(parts[6]));
    }
}
