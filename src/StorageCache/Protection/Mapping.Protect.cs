using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Protection;

namespace StorageCache;

/// <content>Holding the bytes of a page as they are, for those who are not in the cache: snapshots, replicas, leases.</content>
public sealed partial class Mapping
{
    /// <summary>
    /// Holds the bytes of a page as they are now, whether it is clean or dirty, reading the page in if it is not in memory. Blocks the
    /// calling thread if that has to wait: for a read, or for the writer who has the page.
    /// </summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="reason">Why: <see cref="ProtectionReason.Snapshot"/>, <see cref="ProtectionReason.Replica"/> or <see cref="ProtectionReason.Lease"/>.</param>
    /// <param name="onBreak">
    /// Called once, on a thread of the pool, when a writer has broken away: from then on the page has other bytes than the frame that is
    /// held. Not called for a page that is truncated away, punched or closed.
    /// What it throws ends the process, as with any work of the pool.
    /// </param>
    /// <exception cref="CacheFullException">No frame came free in time, or 65,535 hold the frame for that reason.</exception>
    /// <inheritdoc cref="Read(long)" path="/exception"/>
    public ProtectedPage Protect(long page, ProtectionReason reason, Action<ProtectedPage>? onBreak = null)
    {
        CheckHolds(reason);
        using PageReadLease lease = Read(page);
        return ProtectLatched(page, reason, onBreak);
    }

    /// <summary>As <see cref="Protect"/>; completes synchronously if the page can be had at once.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="reason">Why: <see cref="ProtectionReason.Snapshot"/>, <see cref="ProtectionReason.Replica"/> or <see cref="ProtectionReason.Lease"/>.</param>
    /// <param name="onBreak">See <see cref="Protect"/>.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <inheritdoc cref="Protect" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async ValueTask<ProtectedPage> ProtectAsync(
        long page, ProtectionReason reason, Action<ProtectedPage>? onBreak = null, CancellationToken cancellationToken = default)
    {
        CheckHolds(reason);
        using PageReadLease lease = await ReadAsync(page, cancellationToken).ConfigureAwait(false);
        return ProtectLatched(page, reason, onBreak);
    }

    /// <summary>As <see cref="Protect"/>, if the page is in memory and no writer has it. Waits for nobody.</summary>
    /// <param name="page">The page's number, 0 or more.</param>
    /// <param name="reason">Why: <see cref="ProtectionReason.Snapshot"/>, <see cref="ProtectionReason.Replica"/> or <see cref="ProtectionReason.Lease"/>.</param>
    /// <param name="held">The bytes, if the result is true.</param>
    /// <param name="refusal">Why not, if the result is false.</param>
    /// <param name="onBreak">See <see cref="Protect"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The page's number is negative, or the reason is none of the three.</exception>
    public bool TryProtect(
        long page, ProtectionReason reason, out ProtectedPage? held, out ProtectionRefusal refusal, Action<ProtectedPage>? onBreak = null)
    {
        CheckHolds(reason);
        Throw.IfNegativePage(page);
        refusal = ProtectionRefusal.Closing;
        held = IsGone ? null : TryHold(page, reason, onBreak, out refusal);
        if (held is null)
        {
            _core.Protection.Counters.Refused(refusal);
        }

        return held is not null;
    }

    /// <summary>Whether a page is in memory, in a frame.</summary>
    internal unsafe bool HasFrame(long page, uint frame)
    {
        Slot* slot = _table.Find(page);
        return slot != null && (StateWord.Load(slot) & StateWord.UpToDate) != 0 && slot->Frame == frame;
    }

    /// <summary>Ends a hold; whoever waits to break away from the frame tries again.</summary>
    internal unsafe void Unprotect(ProtectedPage held, bool hasWatcher)
    {
        if (hasWatcher)
        {
            _core.Protection.Watchers.Remove(held);
        }

        if (Cache.IsDisposed)
        {
            // The frames have gone, or go, with whatever held them.
            return;
        }

        Slot* slot = _table.Enter(held.Page, create: false, out _);
        if (slot == null)
        {
            FrameHolds.Remove(_core.Frames.Descriptor(held.Frame), held.Reason);
        }
        else
        {
            StateWord.LockList(slot);
            _core.Protection.Unprotect(slot, held.Frame, held.Reason, staysProtected: Sharing is { IsHardened: true });
            StateWord.UnlockList(slot);
            _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        }

        _core.DropFrame(held.Frame);
        if (_core.FrameQueue.Count > 0)
        {
            _core.FrameQueue.RetryBreaks();
        }
    }

    private ProtectedPage ProtectLatched(long page, ProtectionReason reason, Action<ProtectedPage>? onBreak) =>
        TryHold(page, reason, onBreak, out _) ?? throw Throw.MakeTooManyHolds(this, page, reason);

    private unsafe ProtectedPage? TryHold(long page, ProtectionReason reason, Action<ProtectedPage>? onBreak, out ProtectionRefusal refusal)
    {
        Slot* slot = _table.Enter(page, create: false, out _);
        if (slot == null)
        {
            refusal = ProtectionRefusal.NotResident;
            return null;
        }

        ulong state = StateWord.LockList(slot);
        refusal = (state & StateWord.UpToDate) == 0 ? ProtectionRefusal.NotResident
            : !StateWord.TryProtect(slot) ? ProtectionRefusal.ExclusivelyLatched
            : ProtectionRefusal.NoRoom;
        uint frame = refusal == ProtectionRefusal.NoRoom ? _core.Protection.Hold(slot, reason) : 0;
        ProtectedPage? held = null;
        if (frame != 0)
        {
            refusal = ProtectionRefusal.None;
            held = new ProtectedPage(this, page, frame, reason, onBreak);
            if (onBreak is not null)
            {
                // While no writer can break away: it would find nobody to tell (P-11).
                _core.Protection.Watchers.Add(held);
            }
        }

        StateWord.UnlockList(slot);
        _core.PageTables.Leave(_core.PageTables.HeaderOf(slot));
        return held;
    }

    private static void CheckHolds(ProtectionReason reason)
    {
        if (reason is not (ProtectionReason.Snapshot or ProtectionReason.Replica or ProtectionReason.Lease))
        {
            throw new ArgumentOutOfRangeException(nameof(reason), reason, $"The reason is {reason}; allowed: Snapshot, Replica, Lease.");
        }
    }
}
