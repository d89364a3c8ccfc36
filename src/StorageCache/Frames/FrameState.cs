namespace StorageCache.Frames;

/// <summary>Where a frame is in its life.</summary>
internal enum FrameState : byte
{
    /// <summary>Never used, or given back to the operating system.</summary>
    Retired = 0,

    /// <summary>Has memory, holds nothing.</summary>
    Free = 1,

    /// <summary>Holds the bytes of at least one owner or protector.</summary>
    InUse = 2,
}
