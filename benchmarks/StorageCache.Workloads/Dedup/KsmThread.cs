using System.Globalization;

namespace StorageCache.Workloads.Dedup;

/// <summary>The kernel's thread that merges pages.</summary>
/// <param name="directory">What the kernel says of it.</param>
internal sealed class KsmThread(string directory)
{
    private const double TicksPerSecond = 100;
    private const int UserTicks = 13;

    /// <summary>Processor time so far, in seconds.</summary>
    public double CpuSeconds
    {
        get
        {
            // In nanoseconds where the kernel counts them, else in ticks of 10 ms.
            string precise = Path.Combine(directory, "schedstat");
            if (File.Exists(precise))
            {
                return long.Parse(File.ReadAllText(precise).Split(' ')[0], CultureInfo.InvariantCulture) / 1e9;
            }

            string[] fields = File.ReadAllText(Path.Combine(directory, "stat")).Split(' ');
            return (long.Parse(fields[UserTicks], CultureInfo.InvariantCulture) + long.Parse(fields[UserTicks + 1], CultureInfo.InvariantCulture)) / TicksPerSecond;
        }
    }

    /// <summary>Finds it; null where it cannot be seen.</summary>
    public static KsmThread? TryFind()
    {
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (char.IsAsciiDigit(Path.GetFileName(directory)[0]) && File.ReadAllText(Path.Combine(directory, "comm")).Trim() == "ksmd")
                {
                    return new KsmThread(directory);
                }
            }
            catch (IOException)
            {
                // It has ended meanwhile.
            }
        }

        return null;
    }
}
