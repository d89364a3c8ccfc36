namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>A run: does one kind of harm to stores, again and again.</summary>
internal interface ICrashRun
{
    /// <summary>What has happened so far. May be read while it runs.</summary>
    RunTotals Totals { get; }

    /// <summary>Runs to the end, or until the token is cancelled.</summary>
    /// <exception cref="Oracle.ViolationException">A promise was broken.</exception>
    /// <exception cref="Disks.DiskException">The file system cannot be had here.</exception>
    Task RunAsync(CancellationToken cancellationToken);
}
