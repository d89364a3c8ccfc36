namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>When a worker is killed.</summary>
internal enum KillMoment
{
    /// <summary>Soon after it has been started.</summary>
    Starting,

    /// <summary>While it makes or recovers a store.</summary>
    Opening,

    /// <summary>While it makes a clone.</summary>
    Cloning,

    /// <summary>Soon after it has made one.</summary>
    Cloned,

    /// <summary>After some changes.</summary>
    Changing,

    /// <summary>While it closes its stores.</summary>
    Closing,
}
