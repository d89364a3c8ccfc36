namespace StorageCache.Workloads.Hit;

/// <summary>
/// One variant of the measured loop. For each page number: look the page up, take the lease, read the first 8 bytes
/// (or write the page's number there), give the lease back. Safe to run on several threads at once.
/// </summary>
internal interface IHitLoop
{
    /// <summary>Runs over a part of a sequence.</summary>
    /// <returns>The sum of what was read or written.</returns>
    long Run(int[] pages, int first, int count);
}
