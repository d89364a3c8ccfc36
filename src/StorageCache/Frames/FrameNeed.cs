namespace StorageCache.Frames;

/// <summary>What an <see cref="IFrameWaiter"/> stands in the <see cref="FrameQueue"/> for.</summary>
internal enum FrameNeed
{
    /// <summary>It does not stand in the queue.</summary>
    None,

    /// <summary>A frame.</summary>
    Frame,

    /// <summary>A frame to break away onto; it may be one of those kept back for that.</summary>
    Break,

    /// <summary>A frame, and something else that frames are of no use without: see <see cref="IFrameWaiter.CanUseFrame"/>.</summary>
    FrameAndMore,

    /// <summary>Memory for a part of a page table.</summary>
    Room,
}
