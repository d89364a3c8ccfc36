namespace StorageCache.Frames;

/// <summary>A doubly linked list of those who wait for a frame, in the order of their turns. Guarded by the queue's lock.</summary>
internal struct FrameWaitList
{
    private IFrameWaiter? _last;

    /// <summary>The one whose turn is first, or null.</summary>
    public IFrameWaiter? First { get; private set; }

    /// <summary>
    /// Puts a waiter where its turn is: last, unless it was here before and has come back; then it is near the front. Returns how
    /// many were looked at.
    /// </summary>
    public int Insert(IFrameWaiter waiter)
    {
        int examined = 1;
        IFrameWaiter? next = null;
        if (_last is not null && _last.FrameTurn > waiter.FrameTurn)
        {
            next = First;
            while (next!.FrameTurn < waiter.FrameTurn)
            {
                next = next.NextFrameWaiter;
                examined++;
            }
        }

        IFrameWaiter? previous = next is null ? _last : next.PreviousFrameWaiter;
        waiter.NextFrameWaiter = next;
        waiter.PreviousFrameWaiter = previous;
        if (previous is null)
        {
            First = waiter;
        }
        else
        {
            previous.NextFrameWaiter = waiter;
        }

        if (next is null)
        {
            _last = waiter;
        }
        else
        {
            next.PreviousFrameWaiter = waiter;
        }

        return examined;
    }

    /// <summary>Takes a waiter out, wherever it stands.</summary>
    public void Remove(IFrameWaiter waiter)
    {
        IFrameWaiter? next = waiter.NextFrameWaiter;
        IFrameWaiter? previous = waiter.PreviousFrameWaiter;
        if (previous is null)
        {
            First = next;
        }
        else
        {
            previous.NextFrameWaiter = next;
        }

        if (next is null)
        {
            _last = previous;
        }
        else
        {
            next.PreviousFrameWaiter = previous;
        }

        waiter.NextFrameWaiter = null;
        waiter.PreviousFrameWaiter = null;
    }
}
