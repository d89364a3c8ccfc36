using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>What a writer does once it has the exclusive latch: it breaks away from a protected frame.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>
    /// Completes an acquisition whose latch is held. Returns false if the page is protected and there is no frame to break
    /// away onto: the latch has been returned, and the waiter will ask for a frame.
    /// </summary>
    private bool FinishAcquired(PageWaiter waiter)
    {
        if (waiter.Mode != WaitMode.Exclusive || waiter.IsInternal)
        {
            return true;
        }

        uint reserved = waiter.ReservedFrame;
        waiter.ReservedFrame = 0;
        if (!TryBreakIfProtected(waiter.Slot, reserved))
        {
            waiter.IsForBreak = true;
            ReleaseExclusive(waiter.Slot);
            return false;
        }

        if (waiter.IsNew)
        {
            BeginNew(waiter.Slot, isClear: waiter.IsFresh);
        }

        return true;
    }

    /// <summary>Breaks an exclusively latched page away if its frame is protected. False: that needs a frame, and there is none.</summary>
    private bool TryBreakIfProtected(Slot* slot, uint reservedFrame)
    {
        uint copy = reservedFrame;
        if ((StateWord.Load(slot) & StateWord.Protected) != 0 && !_core.Protection.TryLift(slot, Sharing is { IsHardened: true }))
        {
            if (copy == 0)
            {
                copy = _core.TryAllocateFrame(forBreak: true);
                if (copy == 0)
                {
                    return false;
                }
            }

            bool isHardened = Sharing is { IsHardened: true };
            if (_core.Protection.TryBreak(slot, copy, evenly: isHardened, out uint released))
            {
                if (isHardened)
                {
                    _core.Protection.LateDrops.Add(released);
                }
                else
                {
                    _core.DropFrameQuietly(released);
                }

                return true;
            }
        }

        if (copy != 0)
        {
            _core.DropFrameQuietly(copy);
        }

        return true;
    }

    /// <summary>
    /// Queues a writer for a frame of the reserve, unless its page has stopped being protected. The end of the protection
    /// resumes it as well.
    /// </summary>
    private bool TryQueueForBreak(PageWaiter waiter)
    {
        waiter.IsForBreak = false;
        long page = waiter.Page;
        if (!HasToBreak(page))
        {
            return false;
        }

        waiter.IsForBreak = true;
        Withdraw(waiter);
        QueueForFrame(waiter, FrameNeed.Break);

        // One of the two sees the other: whoever stops relying on the frame does that first, and looks afterwards who waits.
        Interlocked.MemoryBarrier();
        if (!HasToBreak(page))
        {
            // Nobody relied on it any more before the waiter stood in the queue. It may be gone by now, or wait for something
            // else already; waking it once too often does no harm.
            _core.FrameQueue.RetryBreaks();
        }

        return true;
    }

    /// <summary>Whether a writer of a page would have to copy it now. Not if it is protected for nobody's sake any more.</summary>
    private bool HasToBreak(long page)
    {
        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            return false;
        }

        ulong state = StateWord.LockList(slot);
        bool hasTo = (state & StateWord.UpToDate) != 0 && _core.Protection.HasToBreak(slot, Sharing is { IsHardened: true });
        StateWord.UnlockList(slot);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        return hasTo;
    }
}
