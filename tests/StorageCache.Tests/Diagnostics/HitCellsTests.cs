using StorageCache.Diagnostics;
using Xunit;

namespace StorageCache.Tests.Diagnostics;

public class HitCellsTests
{
    [Fact]
    public void Threads_count_without_losing_anything_however_many_come_and_go()
    {
        HitCounters counters = new();
        const int Threads = 2000;
        const int EachCounts = 500;
        for (int batch = 0; batch < Threads; batch += 50)
        {
            Thread[] threads = [.. Enumerable.Range(0, 50).Select(_ => new Thread(() =>
            {
                HitCells cells = counters.Cells;
                for (int i = 0; i < EachCounts; i++)
                {
                    cells.Hit();
                    cells.HitAndPin();
                    cells.Pin(-1);
                }
            }))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
        }

        Assert.Equal(2L * Threads * EachCounts, counters.Hits);
        Assert.Equal(0, counters.PinsHeld);
    }

    [Fact]
    public void What_does_not_fit_into_cells_of_their_own_is_counted_together()
    {
        // Ten times as many owners as there are cells: most of them find all that they look at taken.
        HitCounters counters = new();
        for (int round = 0; round < 3; round++)
        {
            for (nuint granule = 1; granule <= 10 * HitCells.Count; granule++)
            {
                counters.Cells.Add(granule, hits: 1, pins: 2);
                counters.Cells.Add(granule, hits: 0, pins: -1);
            }
        }

        Assert.Equal(3L * 10 * HitCells.Count, counters.Hits);
        Assert.Equal(3L * 10 * HitCells.Count, counters.PinsHeld);
    }

    [Fact]
    public void A_pin_may_be_returned_by_another_thread_than_took_it()
    {
        HitCounters counters = new();
        counters.Cells.HitAndPin();
        Assert.Equal(1, counters.PinsHeld);
        Thread other = new(() => counters.Cells.Pin(-1));
        other.Start();
        other.Join();
        Assert.Equal(0, counters.PinsHeld);
        Assert.Equal(1, counters.Hits);
    }
}
