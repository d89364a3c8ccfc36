using StorageCache.Frames;
using StorageCache.Sharing;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>What the scan remembers and how much it may do, and the room for what sharing needs.</summary>
/// <remarks>SH-8.</remarks>
public sealed class ScanUnitTests
{
    [Fact]
    public void A_page_is_quiet_when_it_has_not_changed_since_the_last_pass()
    {
        FrameNote note = default;
        Assert.False(note.IsQuiet(1, 7));
        Assert.True(note.IsQuiet(1, 7));
        Assert.True(note.IsQuiet(1, 7));
        Assert.False(note.IsQuiet(2, 7));
        Assert.True(note.IsQuiet(2, 7));
    }

    [Fact]
    public void A_page_that_changes_is_left_alone_ever_longer_up_to_a_bound()
    {
        FrameNote note = default;
        uint version = 0;
        Assert.False(note.IsQuiet(1, version));
        List<int> rests = [];
        for (int i = 0; i < 10; i++)
        {
            Assert.False(note.IsQuiet(1, ++version));
            int rest = 0;
            while (!note.IsQuiet(1, version))
            {
                rest++;
            }

            rests.Add(rest);
        }

        Assert.Equal([1, 3, 7, 15, 31, 63, 64, 64, 64, 64], rests);
        Assert.False(note.IsQuiet(2, version));
        Assert.True(note.IsQuiet(2, version));
    }

    [Fact]
    public void A_pace_allows_no_more_than_it_was_given()
    {
        ScanPace pace = new(1_000_000, 1, TimeProvider.System);
        Assert.False(pace.MayGoOn);
        Wait.Until(
            () =>
            {
                pace.Refill();
                return pace.MayGoOn;
            },
            "time to pass");
        pace.Spend(200_000, TimeSpan.Zero);
        Assert.False(pace.MayGoOn);
        Wait.Until(
            () =>
            {
                pace.Refill();
                return pace.MayGoOn;
            },
            "the pages to be paid back");
        pace.Spend(1, TimeSpan.FromMilliseconds(150));
        Assert.False(pace.MayGoOn);
    }

    [Fact]
    public void Room_for_metadata_is_charged_in_chunks_and_comes_back()
    {
        MemoryBudget budget = new(1 << 20);
        FramePool frames = new(budget, 4096, 50, headBytes: 64, hugePages: false) { Capacity = 50 };
        MetadataRoom room = new(frames, pieceBytes: 24);
        Assert.False(room.TryTake());
        for (int i = 0; i < 1000; i++)
        {
            Assert.True(room.TryProvide());
            Assert.True(room.TryTake());
            Assert.Equal(budget.Used, room.Bytes);
        }

        Assert.Equal(1000, room.Taken);
        Assert.InRange(room.Bytes, 1000 * 24, 1200 * 24);
        for (int i = 0; i < 1000; i++)
        {
            room.Return();
            Assert.Equal(budget.Used, room.Bytes);
        }

        Assert.Equal(0, room.Taken);
        Assert.InRange(budget.Used, 0, 2 * 64 * 24);
    }

    [Fact]
    public void Room_that_many_take_and_return_is_what_is_charged()
    {
        MemoryBudget budget = new(1 << 20);
        FramePool frames = new(budget, 4096, 50, headBytes: 64, hugePages: false) { Capacity = 50 };
        MetadataRoom room = new(frames, pieceBytes: 64);
        Together.Run(4, thread =>
        {
            Random random = new(thread);
            int mine = 0;
            for (int i = 0; i < 50_000; i++)
            {
                if (mine > 0 && random.Next(2) == 0)
                {
                    room.Return();
                    mine--;
                }
                else
                {
                    room.TryProvide();
                    mine += room.TryTake() ? 1 : 0;
                }
            }

            for (; mine > 0; mine--)
            {
                room.Return();
            }
        });
        Assert.Equal(0, room.Taken);
        Assert.Equal(budget.Used, room.Bytes);
        Assert.True(budget.Used <= budget.Limit);
    }
}
