namespace StorageCache.Mappings;

/// <summary>How far one attempt at an acquisition got.</summary>
internal enum AcquireStep
{
    /// <summary>The latch or pin is held.</summary>
    Acquired,

    /// <summary>The waiter stands in a queue, armed.</summary>
    Queued,

    /// <summary>As <see cref="Queued"/>, and the caller has claimed the load of the page and must start it.</summary>
    Load,

    /// <summary>What stood in the way is gone; it is to be attempted again.</summary>
    Again,

    /// <summary>It cannot be had.</summary>
    Failed,
}
