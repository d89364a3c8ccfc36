namespace StorageCache.Frames;

/// <summary>Something that cannot go on without a frame, or room for metadata. An intrusive node of the <see cref="FrameQueue"/>.</summary>
internal interface IFrameWaiter
{
    /// <summary>Next in its list. Guarded by the queue's lock.</summary>
    IFrameWaiter? NextFrameWaiter { get; set; }

    /// <summary>Previous in its list. Guarded by the queue's lock.</summary>
    IFrameWaiter? PreviousFrameWaiter { get; set; }

    /// <summary>What it stands in the queue for. Guarded by the queue's lock.</summary>
    FrameNeed QueuedFor { get; set; }

    /// <summary>What <see cref="OnQueueing"/> returned for its present stay. Guarded by the queue's lock.</summary>
    long FrameTicket { get; set; }

    /// <summary>Its place among all who ever came to the queue; 0 until it is queued for the first time.</summary>
    long FrameTurn { get; set; }

    /// <summary>When its patience ends, in timestamps of the clock; set with <see cref="FrameTurn"/>.</summary>
    long FrameDeadline { get; set; }

    /// <summary>Whether one who waits for <see cref="FrameNeed.FrameAndMore"/> could use a frame now. Asked under the queue's lock.</summary>
    bool CanUseFrame { get; }

    /// <summary>
    /// Whether one who waits for <see cref="FrameNeed.Room"/> still does, and would not rather have a frame. Asked under the queue's
    /// lock.
    /// </summary>
    bool NeedsRoom { get; }

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

    /// <summary>Hands room for metadata over, charged to the budget. Returns false if it is no longer wanted.</summary>
    /// <param name="bytes">How much.</param>
    /// <param name="ticket">What <see cref="OnQueueing"/> returned for the stay that ends with it.</param>
    bool OnRoom(long bytes, long ticket);

    /// <summary>Says that no frame came in time.</summary>
    /// <param name="ticket">What <see cref="OnQueueing"/> returned for the stay that ends with it.</param>
    void OnFrameTimeout(long ticket);
}
