namespace StorageCache.Sharing;

/// <summary>
/// How much the scan may do: so many pages a second and so much of a core, whichever is reached first. For one thread.
/// </summary>
/// <param name="pagesPerSecond">Pages looked at.</param>
/// <param name="share">Part of one core.</param>
/// <param name="clock">What tells how long ago the last call was.</param>
internal sealed class ScanPace(int pagesPerSecond, double share, TimeProvider clock)
{
    /// <summary>What has not been used for so long is lost.</summary>
    private static readonly TimeSpan s_kept = TimeSpan.FromMilliseconds(100);

    private long _last = clock.GetTimestamp();
    private double _pages;
    private double _seconds;

    /// <summary>Adds what the time since the last call allows.</summary>
    public void Refill()
    {
        long now = clock.GetTimestamp();
        double elapsed = clock.GetElapsedTime(_last, now).TotalSeconds;
        _last = now;
        double kept = s_kept.TotalSeconds;
        _pages = Math.Min(_pages + (elapsed * pagesPerSecond), Math.Max(1, kept * pagesPerSecond));
        _seconds = Math.Min(_seconds + (elapsed * share), kept * share);
    }

    /// <summary>Whether another page may be looked at.</summary>
    public bool MayGoOn => _pages >= 1 && _seconds > 0;

    /// <summary>Takes what has been used off.</summary>
    /// <param name="pages">Pages looked at.</param>
    /// <param name="time">Processor time.</param>
    public void Spend(int pages, TimeSpan time)
    {
        _pages -= pages;
        _seconds -= time.TotalSeconds;
    }
}
