namespace StorageCache.Frames;

/// <summary>Something that cannot go on without a frame. An intrusive node of the <see cref="FrameQueue"/>.</summary>
internal interface IFrameWaiter
{
    /// <summary>Next in the queue. Guarded by the queue's lock.</summary>
    IFrameWaiter? NextFrameWaiter { get; set; }

    /// <summary>Previous in the queue. Guarded by the queue's lock.</summary>
    IFrameWaiter? PreviousFrameWaiter { get; set; }

    /// <summary>Whether it stands in the queue. Guarded by the queue's lock.</summary>
    bool IsQueuedForFrame { get; set; }

    /// <summary>What <see cref="OnQueueing"/> returned for its present stay. Guarded by the queue's lock.</summary>
    long FrameTicket { get; set; }

    /// <summary>Whether the frames kept back for breaks may be given to it.</summary>
    bool IsForBreak { get; }

    /// <summary>
    /// Whether it could go on with a frame. If not, what it lacks besides comes free with an eviction, and those behind it may
    /// pass. Asked under the queue's lock.
    /// </summary>
    bool CanUseFrame { get; }

    /// <summary>When its patience ends, in timestamps of the clock; 0 until it is queued for the first time.</summary>
    long FrameDeadline { get; set; }

    /// <summary>
    /// Says that it is being put into the queue. Under the queue's lock: whoever resumes it otherwise takes it out of the
    /// queue, and does not come before it is in.
    /// </summary>
    /// <returns>
    /// Tells this stay in the queue from every other one. It leaves the queue under the lock and hears of it without: by then
    /// it may have been cancelled, and stand in the queue once more for something else.
    /// </returns>
    long OnQueueing();

    /// <summary>
    /// Hands a frame over, with one reference, or zero to have a break tried again. Returns false if it is no longer
    /// wanted.
    /// </summary>
    /// <param name="frame">The frame.</param>
    /// <param name="ticket">What <see cref="OnQueueing"/> returned for the stay that ends with it.</param>
    bool OnFrame(uint frame, long ticket);

    /// <summary>Says that no frame came in time.</summary>
    /// <param name="ticket">What <see cref="OnQueueing"/> returned for the stay that ends with it.</param>
    void OnFrameTimeout(long ticket);
}
