namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>How far a life on a disk that becomes full has come.</summary>
internal enum FullPhase
{
    /// <summary>There is room still.</summary>
    Before,

    /// <summary>There is none.</summary>
    Full,

    /// <summary>There is some again.</summary>
    RoomAgain,

    /// <summary>The worker is to end.</summary>
    Ending,
}
