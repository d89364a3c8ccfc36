namespace StorageCache.Writeback;

/// <summary>One who waits for permits to write, over and over. Waits for one thing at a time.</summary>
internal abstract class PermitWaiter
{
    /// <summary>Next in line. Guarded by the permits' lock.</summary>
    public PermitWaiter? Next { get; set; }

    /// <summary>Previous in line. Guarded by the permits' lock.</summary>
    public PermitWaiter? Previous { get; set; }

    /// <summary>Whether it stands in line. Guarded by the permits' lock.</summary>
    public bool IsLinked { get; set; }

    /// <summary>The most permits that it can use. Guarded by the permits' lock.</summary>
    public int Most { get; set; }

    /// <summary>Ends the wait. Called once for each, with no lock held, by whoever took the waiter out of the line.</summary>
    /// <param name="permits">What it was given; 0 if it was cancelled.</param>
    public abstract void OnGranted(int permits);
}
