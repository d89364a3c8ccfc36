using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

/// <summary>
/// A pin counts itself on the head first and looks afterwards whether the page is still there (B-6). If it is not, what the count
/// has kept there meanwhile goes with it.
/// </summary>
public class PinUndoTests
{
    [Fact]
    public async Task A_head_that_only_a_pin_in_vain_has_kept_over_a_truncation_is_freed()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Mapping.Read(5).Dispose();
        nint head = CountPin(test.Mapping, 5);
        await test.Mapping.TruncateAsync(0).InTime();
        Assert.Equal(1, test.Cache.Core.Heads.InUse);

        UndoPin(test.Mapping, head);
        Assert.Equal(0, test.Cache.Core.Heads.InUse);
    }

    /// <summary>The page left, and its head came to another mapping's page, before the count was raised.</summary>
    [Fact]
    public async Task A_head_that_has_come_to_another_mapping_is_freed_there()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Mapping other = await test.Cache.OpenAsync(new MemoryBlockDevice("other", 64 * 4096));
        test.Mapping.Read(5).Dispose();
        nint head = HeadOf(test.Mapping, 5);
        test.Evict(5);
        other.Read(9).Dispose();
        Assert.Equal(head, HeadOf(other, 9));
        Assert.Equal(head, CountPin(other, 9));
        await other.TruncateAsync(0).InTime();
        Assert.Equal(1, test.Cache.Core.Heads.InUse);

        UndoPin(test.Mapping, head);
        Assert.Equal(0, test.Cache.Core.Heads.InUse);
        await other.CloseAsync().InTime();
    }

    private static unsafe nint HeadOf(Mapping mapping, long page) => (nint)mapping.Cache.Core.Heads[mapping.Table.Find(page)->Head];

    /// <summary>The first half of a pin, up to where it looks again.</summary>
    private static unsafe nint CountPin(Mapping mapping, long page)
    {
        Assert.NotEqual(0ul, StateWord.TrySetPinned(mapping.Table.Find(page)));
        nint head = HeadOf(mapping, page);
        Interlocked.Increment(ref ((BufferHead*)head)->Pins);
        return head;
    }

    private static unsafe void UndoPin(Mapping mapping, nint head) => mapping.UndoPin((BufferHead*)head);
}
