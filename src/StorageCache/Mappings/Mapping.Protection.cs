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
                    LetGoQuietly(released);
                }

                return true;
            }
        }

        if (copy != 0)
        {
            DropQuietly(copy);
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
        if ((StateWord.Load(waiter.Slot) & StateWord.Protected) == 0)
        {
            return false;
        }

        waiter.IsForBreak = true;
        Withdraw(waiter);
        Slot* slot = waiter.Slot;
        QueueForFrame(waiter, FrameNeed.Break);
        if ((StateWord.Load(slot) & StateWord.Protected) == 0)
        {
            // The protection ended before the waiter stood in the queue. It may be gone by now, or wait for something
            // else already; waking it once too often does no harm.
            _core.FrameQueue.RetryBreaks();
        }

        return true;
    }

    /// <summary>Drops the reference of an owner that has left. No lock is held.</summary>
    private void LetGo(uint frame)
    {
        if (_core.Frames.DropReference(frame))
        {
            _core.FrameQueue.Pump();
        }
        else
        {
            TellLastOwner(frame);
        }
    }

    /// <summary>As <see cref="LetGo"/>, while a latch is held: whoever waits for the frame is served by another thread.</summary>
    private void LetGoQuietly(uint frame)
    {
        if (!_core.Frames.DropReference(frame))
        {
            TellLastOwner(frame);
        }
        else if (_core.FrameQueue.Count > 0)
        {
            _core.Reclaimer.Kick();
        }
    }

    /// <summary>The last owner of a frame may be in line to break away from it, and not need to any more.</summary>
    private void TellLastOwner(uint frame)
    {
        if (_core.FrameQueue.Count > 0 && Volatile.Read(ref _core.Frames.Descriptor(frame)->OwnerCount) == 1)
        {
            _core.FrameQueue.RetryBreaksLater();
            _core.Reclaimer.Kick();
        }
    }

    /// <summary>Drops a frame while a latch is held: whoever waits for it is served by another thread.</summary>
    private void DropQuietly(uint frame)
    {
        if (_core.Frames.DropReference(frame) && _core.FrameQueue.Count > 0)
        {
            _core.Reclaimer.Kick();
        }
    }
}
