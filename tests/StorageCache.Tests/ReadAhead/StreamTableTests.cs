using StorageCache.ReadAhead;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

/// <summary>What the table of streams makes of what it is told, step by step.</summary>
public sealed class StreamTableTests
{
    private static readonly ReadAheadLimits s_limits = new(Window: 64, Scan: 10_000, Spare: 10_000);

    [Fact]
    public void Waste_is_blamed_on_the_last_stream_that_came_there()
    {
        // One that has ended at page 14, with windows up to 61, and one that comes after it.
        StreamTable table = new();
        Miss(table, 0);
        Assert.Equal((2, 4), Miss(table, 1));
        Assert.Equal((6, 8), Mark(table, 2));
        Assert.Equal((14, 16), Mark(table, 6));
        Assert.Equal((30, 32), Mark(table, 14));
        Miss(table, 0);
        Assert.Equal((2, 4), Miss(table, 1));
        Assert.Equal((6, 8), Mark(table, 2));
        Assert.Equal((14, 16), Mark(table, 6));

        for (long page = 17; page < 30; page++)
        {
            table.OnWaste(page);
        }

        Assert.Equal((30, 8), Mark(table, 14));
    }

    /// <remarks>RA-13.</remarks>
    [Fact]
    public void A_window_is_measured_by_what_was_read_of_it()
    {
        StreamTable table = new();
        Miss(table, 0);
        Miss(table, 1);
        Mark(table, 2);
        Assert.True(table.OnMark(6, AccessPattern.Normal, s_limits, out ReadAheadStep step));
        Assert.Equal(16, step.Count);

        // Six of the sixteen had to be read, and four of the six were in vain; of all there is, that is little.
        table.OnPrefetch(100);
        table.OnBegun(step, started: 6, covered: 16);
        for (long page = 20; page < 24; page++)
        {
            table.OnWaste(page);
        }

        Assert.Equal((30, 8), Mark(table, 14));
    }

    /// <remarks>RA-13.</remarks>
    [Theory]
    [InlineData(+1)]
    [InlineData(-1)]
    public void A_stream_goes_on_where_its_window_was_cut_short(int direction)
    {
        const int Middle = 1000;
        StreamTable table = new();
        Miss(table, Middle);
        Miss(table, Middle + direction);
        Assert.True(table.OnMark(Middle + (2 * direction), AccessPattern.Normal, s_limits, out ReadAheadStep step));
        Assert.Equal(Middle + (6 * direction), step.Mark);
        table.OnBegun(step, started: 3, covered: 3);

        Assert.True(table.OnMiss(Middle + (9 * direction), AccessPattern.Normal, s_limits, out step));
        Assert.Equal((Middle + (10 * direction), 16), (step.Mark, step.Count));
    }

    [Fact]
    public void One_call_is_not_all_that_is_remembered_of_waste()
    {
        WasteShare share = default;
        for (int i = 0; i < 3; i++)
        {
            share.Issue(256);
        }

        share.Waste(700);
        share.Issue(100_000);
        Assert.Equal(2, share.Distrust);

        // Nor is there more waste than there was to be wasted.
        share.Waste(100_000);
        for (int i = 0; i < 8; i++)
        {
            share.Issue(256);
        }

        Assert.Equal(0, share.Distrust);
    }

    [Fact]
    public void Misses_and_streams_take_a_bounded_amount_of_memory_and_none_once_they_have_it()
    {
        StreamTable table = new();
        Random random = new(1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(table, random, count: 20_000);
        long first = GC.GetAllocatedBytesForCurrentThread() - before;
        Run(table, random, count: 20_000);
        Assert.Equal(first, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.InRange(first, 1, 32 << 10);
    }

    /// <summary>Streams in turn, and random misses.</summary>
    private static void Run(StreamTable table, Random random, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Miss(table, (i % 80 * 1_000_000L) + (i / 80));
            Miss(table, random.NextInt64(1L << 40));
        }
    }

    /// <summary>Notes a miss. Returns the window that is begun: its first page and how many.</summary>
    private static (long First, int Count) Miss(StreamTable table, long page)
    {
        table.OnMiss(page, AccessPattern.Normal, s_limits, out ReadAheadStep step);
        return (step.FirstPage, step.Count);
    }

    private static (long First, int Count) Mark(StreamTable table, long page)
    {
        Assert.True(table.OnMark(page, AccessPattern.Normal, s_limits, out ReadAheadStep step), $"there is no mark on page {page}");
        return (step.FirstPage, step.Count);
    }
}
