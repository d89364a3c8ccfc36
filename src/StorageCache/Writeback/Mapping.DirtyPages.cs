using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Writeback;

namespace StorageCache;

/// <content>From where on the log is needed: the first change of each page that is not durable in the file (WB-18).</content>
public sealed partial class Mapping
{
    private readonly DurabilityBound _bound = new();

    /// <summary>Held by who looks for the oldest change. Locks of the page table and of pages are taken under it.</summary>
    private readonly Lock _lookLock = new();

    /// <summary>Whether a page was ever marked with a number: otherwise write-back need not look at heads.</summary>
    private bool _isLogged;

    /// <summary>
    /// Which pages are dirty, and from where on the log is needed to have them again. A snapshot, taken while others write: what was marked
    /// dirty before the call and is not durable is in it. Costs a look at each dirty page, and memory in proportion.
    /// </summary>
    public DirtyPageTable GetDirtyPages()
    {
        List<DirtyPage> pages = [];
        ulong oldest = LookForOldest(pages);
        return new DirtyPageTable(pages, oldest == 0 ? null : oldest);
    }

    /// <summary>
    /// The lowest number of a change that is not durable; 0 if there is none. A change moves from its page's head to the write that takes it
    /// along, from there to those that are written and not synced, and is in the next place before it leaves the last; so they are looked
    /// at in that order. One that goes back, because its write failed, says so before it leaves the write.
    /// </summary>
    private ulong LookForOldest(List<DirtyPage>? pages)
    {
        if (pages is null && !Volatile.Read(ref _isLogged))
        {
            return 0;
        }

        lock (_lookLock)
        {
            _bound.BeginLook();
            ulong oldest = LookAtHeads(pages);
            oldest = DurabilityBound.Lower(oldest, _writes.OldestLsn);
            return DurabilityBound.Lower(oldest, _bound.EndLook());
        }
    }

    private unsafe ulong LookAtHeads(List<DirtyPage>? pages)
    {
        ulong oldest = 0;
        foreach (Slot* slot in WalkDirty())
        {
            if (TryLookAtDirty(slot, out DirtyPage page))
            {
                oldest = DurabilityBound.Lower(oldest, page.RecoveryLsn);
                pages?.Add(page);
            }
        }

        return oldest;
    }

    /// <summary>The pages that are tagged dirty.</summary>
    private DirtySlots WalkDirty() => new(_table, _core.PageTables);

    /// <summary>Looks at the numbers of a page whose leaf is kept alive. Returns false if it is not dirty any more.</summary>
    private unsafe bool TryLookAtDirty(Slot* slot, out DirtyPage page)
    {
        page = default;
        bool isDirty = (StateWord.LockList(slot) & StateWord.Dirty) != 0;
        if (isDirty)
        {
            BufferHead* head = HeadOf(slot);
            page = new DirtyPage(PageOf(slot), Volatile.Read(ref head->Lsn), Volatile.Read(ref head->RecoveryLsn));
        }

        StateWord.UnlockList(slot);
        return isDirty;
    }

    /// <summary>Makes a page dirty by a change with a number. The caller holds its exclusive latch.</summary>
    internal unsafe void MarkDirty(Slot* slot, ulong lsn)
    {
        BufferHead* head = HeadOf(slot);
        ArgumentOutOfRangeException.ThrowIfLessThan(lsn, head->Lsn);
        Volatile.Write(ref head->Lsn, lsn);
        if (lsn != 0 && Volatile.Read(ref head->RecoveryLsn) == 0)
        {
            NoteFirstChange(head, lsn);
        }

        // Last: whoever finds the page dirty finds the numbers.
        MarkDirty(slot);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe void NoteFirstChange(BufferHead* head, ulong lsn)
    {
        // Should a write that fails bring an older one back at this moment, that one stays.
        Interlocked.CompareExchange(ref head->RecoveryLsn, lsn, 0);
        if (!_isLogged)
        {
            Volatile.Write(ref _isLogged, true);
        }
    }

    /// <summary>Hands a page's numbers to the write that takes it along. The list lock is held, and the page is under write-back.</summary>
    private unsafe void HandOverLsns(Slot* slot, WriteRun run)
    {
        if (!Volatile.Read(ref _isLogged))
        {
            run.NoteLsns(lsn: 0, recoveryLsn: 0);
            return;
        }

        BufferHead* head = HeadOf(slot);
        run.NoteLsns(head->Lsn, head->RecoveryLsn);
        Volatile.Write(ref head->RecoveryLsn, 0);
    }

    /// <summary>Gives a page back the number of a change that did not become durable. The list lock is held.</summary>
    private unsafe void ReturnLsn(Slot* slot, ulong recoveryLsn) => DurabilityBound.Lower(ref HeadOf(slot)->RecoveryLsn, recoveryLsn);

    /// <summary>
    /// Takes the number of a page whose changes are not to be written any more. As long as what has taken them away is not synced either, a
    /// loss of power brings back what was there before them. Its exclusive latch and list lock are held.
    /// </summary>
    private unsafe void ForgetLsn(Slot* slot)
    {
        BufferHead* head = HeadOf(slot);
        _bound.Left(Volatile.Read(ref _unsyncedGeneration), head->RecoveryLsn);
        Volatile.Write(ref head->RecoveryLsn, 0);
    }
}
