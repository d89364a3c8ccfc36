using System.Diagnostics;
using System.Globalization;

namespace StorageCache.Workloads.Dedup;

/// <summary>
/// The kernel's samepage merging (KSM), set up for a measurement; disposing of it puts back how it was. Needs root.
/// </summary>
internal sealed class KsmSettings : IDisposable
{
    private const string Directory = "/sys/kernel/mm/ksm";
    private const int RoundsPerSecond = 100;
    private static readonly TimeSpan s_settling = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(5);

    private readonly List<(string Name, string Value)> _before = [];

    private KsmSettings()
    {
    }

    /// <summary>Pages that are mapped to another's memory, of all processes.</summary>
    public static long PagesSharing => long.Parse(Read("pages_sharing"), CultureInfo.InvariantCulture);

    /// <summary>Has KSM run at a pace.</summary>
    /// <param name="pagesPerSecond">At most; it sleeps for 10 ms at a time.</param>
    /// <param name="whyNot">Why it cannot be had, or null.</param>
    public static KsmSettings? TryStart(int pagesPerSecond, out string? whyNot)
    {
        KsmSettings settings = new();
        try
        {
            // Who else has it run would have his pages scanned at the same time.
            if (Read("run") == "1")
            {
                whyNot = "it is in use on this machine";
                return null;
            }

            // The advisor, of newer kernels, would choose a pace of its own.
            if (File.Exists(Path.Combine(Directory, "advisor_mode")))
            {
                settings.Set("advisor_mode", "none");
            }

            settings.Set("pages_to_scan", (pagesPerSecond / RoundsPerSecond).ToString(CultureInfo.InvariantCulture));
            settings.Set("sleep_millisecs", (1000 / RoundsPerSecond).ToString(CultureInfo.InvariantCulture));
            settings.Set("run", "1");
            AwaitSettled();
            whyNot = null;
            return settings;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            settings.Dispose();
            whyNot = e.Message;
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = _before.Count - 1; i >= 0; i--)
        {
            (string name, string value) = _before[i];
            File.WriteAllText(Path.Combine(Directory, name), value);
        }

        _before.Clear();
    }

    /// <summary>What has been unmapped counts as merged until the kernel comes round to it: waits until that is over.</summary>
    public static void AwaitSettled()
    {
        long began = Stopwatch.GetTimestamp();
        long before;
        do
        {
            before = PagesSharing;
            Thread.Sleep(s_settling);
        }
        while (PagesSharing != before && Stopwatch.GetElapsedTime(began) < s_settled);
    }

    private static string Read(string name) => File.ReadAllText(Path.Combine(Directory, name)).Trim();

    private void Set(string name, string value)
    {
        string before = Read(name);

        // A choice shows all there are, with the one that holds in brackets.
        int bracket = before.IndexOf('[', StringComparison.Ordinal);
        before = bracket < 0 ? before : before[(bracket + 1)..before.IndexOf(']', StringComparison.Ordinal)];
        _before.Add((name, before));
        File.WriteAllText(Path.Combine(Directory, name), value);
    }
}
