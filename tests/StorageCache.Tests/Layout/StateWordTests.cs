using StorageCache.Buffers;
using Xunit;

namespace StorageCache.Tests.Layout;

public unsafe class StateWordTests
{
    /// <remarks>
    /// B-6, B-11. Where a page leaves, its shadow entry stands in place of its head's index for a moment before the version
    /// moves. One who pins and came in before must not count on the head with that number: there may be no memory for one.
    /// </remarks>
    [Fact]
    public void The_shadow_entry_of_a_page_that_is_leaving_is_not_taken_for_a_head()
    {
        const ulong Resident = StateWord.Attached | StateWord.UpToDate | StateWord.Pinned | StateWord.Referenced | (7 * StateWord.VersionOne);
        Slot slot = new() { State = Resident, Head = 5 };
        ulong pinned = StateWord.TrySetPinned(&slot);
        Assert.Equal(5u, StateWord.HeadIfStillPinned(&slot, pinned));

        Assert.True(StateWord.TryChange(&slot, Resident, Resident | StateWord.Exclusive | StateWord.ListLock));
        slot.Head = 4_000_000_000;
        Assert.Equal(0u, StateWord.HeadIfStillPinned(&slot, pinned));

        StateWord.Replace(&slot, 8 * StateWord.VersionOne);
        Assert.Equal(0u, StateWord.HeadIfStillPinned(&slot, pinned));
    }
}
