using System.Globalization;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>The memory of this process as the kernel counts it.</summary>
internal static class ProcessMemory
{
    private const string StatusFile = "/proc/self/status";

    /// <summary>The largest resident set so far, in bytes (VmHWM); null where the kernel does not say.</summary>
    public static long? PeakResidentSet()
    {
        if (!File.Exists(StatusFile))
        {
            return null;
        }

        foreach (string line in File.ReadLines(StatusFile))
        {
            if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
            {
                string kibibytes = line["VmHWM:".Length..].Replace("kB", "", StringComparison.Ordinal).Trim();
                return long.Parse(kibibytes, CultureInfo.InvariantCulture) * 1024;
            }
        }

        return null;
    }
}
