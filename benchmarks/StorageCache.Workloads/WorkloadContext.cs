using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads;

/// <summary>What a workload is told by the command line, and where it puts what it measures.</summary>
/// <param name="quick">Whether to stay under a minute.</param>
/// <param name="rounds">How many rounds the user asked for, or null.</param>
/// <param name="progress">Where notes go while the workload runs.</param>
/// <param name="cancellationToken">Fires when the user interrupts the program.</param>
internal sealed class WorkloadContext(bool quick, int? rounds, TextWriter progress, CancellationToken cancellationToken)
{
    /// <summary>Whether to stay under a minute, at the price of wider spreads.</summary>
    public bool Quick { get; } = quick;

    /// <summary>Fires when the user interrupts the program.</summary>
    public CancellationToken CancellationToken { get; } = cancellationToken;

    /// <summary>What has been measured so far.</summary>
    public Report Report { get; } = new();

    /// <summary>How many rounds to run: the user's number, or the one that suits the length of the run.</summary>
    public int Rounds(int quickRounds, int fullRounds) => rounds ?? (Quick ? quickRounds : fullRounds);

    /// <summary>Tells the user something that is not a measurement.</summary>
    public void Note(string text) => progress.WriteLine(text);
}
