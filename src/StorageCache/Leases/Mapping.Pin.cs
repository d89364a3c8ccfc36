using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache;

/// <content>Pins.</content>
public sealed unsafe partial class Mapping
{
    /// <summary>Pins a page, reading the page in if it is not in memory. Blocks the calling thread, and no other, if that has to wait.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    public PagePin Pin(long page)
    {
        Slot* slot = PinResident(page);
        if (slot == null)
        {
            slot = WaitFor(page, WaitMode.Pin);
        }

        return new PagePin(this, slot);
    }

    /// <summary>As <see cref="Pin(long)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite. A read of the page that the calling thread carries out itself is not cut short.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    public PagePin Pin(long page, TimeSpan timeout)
    {
        Throw.IfBadTimeout(timeout);
        Slot* slot = PinResident(page);
        if (slot == null)
        {
            slot = WaitFor(page, WaitMode.Pin, timeout);
        }

        return new PagePin(this, slot);
    }

    /// <summary>Pins a page that is in memory.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="pin">What was acquired, if the result is true.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="page"/> is negative.</exception>
    public bool TryPin(long page, out PagePin pin)
    {
        Slot* slot = PinResident(page);
        if (slot == null && !TryAcquireNow(page, WaitMode.Pin, out slot))
        {
            pin = default;
            return false;
        }

        pin = new PagePin(this, slot);
        return true;
    }

    /// <summary>Pins a page, reading the page in if it is not in memory. Completes synchronously if the page can be had at once.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PagePin> PinAsync(long page, CancellationToken cancellationToken = default)
    {
        Slot* slot = PinResident(page);
        return slot != null
            ? new ValueTask<PagePin>(new PagePin(this, slot))
            : PinSlowAsync(page, _core.Options.LatchTimeout, cancellationToken);
    }

    /// <summary>As <see cref="PinAsync(long, CancellationToken)"/>, with a time-out of its own.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="timeout">How long to wait at most: above zero and at most 24 days, or infinite.</param>
    /// <param name="cancellationToken">Cancels the wait. A read that has begun goes on; a page that can be had at once is had.</param>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PagePin> PinAsync(long page, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Throw.IfBadTimeout(timeout);
        Slot* slot = PinResident(page);
        return slot != null
            ? new ValueTask<PagePin>(new PagePin(this, slot))
            : PinSlowAsync(page, timeout, cancellationToken);
    }

    /// <summary>
    /// A hit: where the page is pinned already, one interlocked addition to the head's count. The state is read again
    /// afterwards: an evictor locks the word before it reads the count, so one of the two sees the other (B-6). Null if
    /// that needs more.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Slot* PinResident(long page)
    {
        PageTable table = _table;
        uint generation = table.Generation;
        Slot* slot = table.Find(page);
        if (slot != null)
        {
            ulong pinned = StateWord.TrySetPinned(slot);
            uint index = pinned == 0 ? 0 : StateWord.HeadIfStillPinned(slot, pinned);
            if (index != 0)
            {
                BufferHead* head = _heads + index;
                Interlocked.Increment(ref head->Pins);
                if (StateWord.IsStillPinned(slot, pinned) && table.IsCurrent(slot, page, generation))
                {
                    _hits.HitAndPin();
                    return slot;
                }

                UndoPin(head);
            }
        }

        return null;
    }

    /// <summary>Takes back a pin that was counted in vain.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void UndoPin(BufferHead* head)
    {
        // The head may be another page's by now, and that page may have lost its frame while our count stood there. Whose it is
        // is read afterwards: one who looked at the count before it was raised may give the head away until it is lowered.
        // From then on, a page that the count kept a head for keeps it until somebody looks there; a page that has no need
        // of that does not mind.
        if (Interlocked.Decrement(ref head->Pins) == 0)
        {
            _core.MappingAt(Volatile.Read(ref head->Mapping))?.DetachIfEmpty(Volatile.Read(ref head->Page));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ValueTask<PagePin> PinSlowAsync(long page, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Throw.IfNegativePage(page);
        PageWaiter? waiter = AcquireAsync(page, WaitMode.Pin, isNew: false, isInternal: false, timeout, cancellationToken, out Slot* slot, out Exception? error);
        if (waiter is not null)
        {
            return new ValueTask<PagePin>(waiter, waiter.Version);
        }

        return error is null ? new ValueTask<PagePin>(new PagePin(this, slot)) : ValueTask.FromException<PagePin>(error);
    }
}
