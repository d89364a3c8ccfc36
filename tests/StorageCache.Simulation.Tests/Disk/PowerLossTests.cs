using StorageCache.Simulation.Disk;
using Xunit;

namespace StorageCache.Simulation.Tests.Disk;

/// <remarks>SIM-3, SIM-4.</remarks>
public class PowerLossTests
{
    [Fact]
    public void What_was_flushed_survives() =>
        Assert.Equal(["ABCD"], DiskBench.InManyLives(static bench =>
        {
            for (int i = 0; i < 4; i++)
            {
                bench.Write((char)('A' + i), i);
            }

            Assert.Null(bench.Flush());
            return bench.LosePower();
        }));

    [Fact]
    public void Of_what_was_not_flushed_any_subset_of_the_sectors_survives() =>
        Assert.Equal(["BB", "Ba", "aB", "aa"], DiskBench.InManyLives(static bench =>
        {
            bench.Write('a', 0, count: 2);
            bench.Flush();
            bench.Write('B', 0, count: 2);
            Assert.Equal("BB", bench.Read());
            return bench.LosePower();
        }).Order(StringComparer.Ordinal));

    [Fact]
    public void Requests_survive_as_wholes_where_that_is_so() =>
        Assert.Equal(["aaaa", "aaCC", "BBBB", "BBCC"], DiskBench.InManyLives(static bench =>
        {
            bench.Disk.WholeRequestsPerMille = 1000;
            bench.Write('a', 0, count: 4);
            bench.Flush();
            bench.Write('B', 0, count: 4);
            bench.Write('C', 2, count: 2);
            return bench.LosePower();
        }).Order(StringComparer.OrdinalIgnoreCase));

    /// <summary>SIM-8.</summary>
    [Fact]
    public void The_end_of_a_process_takes_nothing_and_makes_nothing_durable()
    {
        HashSet<string> found = DiskBench.InManyLives(static bench =>
        {
            bench.Write('a', 0, count: 2);
            bench.Flush();
            bench.Write('B', 0, count: 2);
            Assert.Equal("BB", bench.EndProcess());
            return bench.LosePower();
        });
        Assert.Equal(4, found.Count);
    }

    [Fact]
    public void What_a_process_was_about_when_it_ended_is_made_durable_by_the_next_flush()
    {
        HashSet<string> found = DiskBench.InManyLives(static bench =>
        {
            bench.Write('a', 0, count: 3);
            bench.Flush();
            _ = bench.File.WriteAsync(0, DiskBench.Sectors('B', 3));
            string left = bench.EndProcess();
            Assert.Null(bench.Flush());
            Assert.Equal(left, bench.LosePower());
            return left;
        });
        Assert.True(found.Count >= 4);
    }

    [Fact]
    public void A_sector_may_go_back_to_anything_that_it_held_since_it_was_flushed() =>
        Assert.Equal(["1", "2", "3"], DiskBench.InManyLives(static bench =>
        {
            foreach (char letter in "123")
            {
                bench.Write(letter, 0);
                if (letter == '1')
                {
                    bench.Flush();
                }
            }

            return bench.LosePower();
        }).Order(StringComparer.Ordinal));

    [Fact]
    public void What_was_under_way_may_have_got_somewhere()
    {
        HashSet<string> found = DiskBench.InManyLives(static bench =>
        {
            bench.Write('a', 0, count: 3);
            bench.Flush();
            _ = bench.File.WriteAsync(0, DiskBench.Sectors('B', 3));
            return bench.LosePower();
        });
        Assert.Equal(8, found.Count);
        Assert.All(found, static sectors => Assert.Matches("^[aB]{3}$", sectors));
    }

    [Fact]
    public void A_flush_covers_what_was_acknowledged_before_it_was_asked_for_and_no_more() =>
        Assert.Equal(["a.", "aB"], DiskBench.InManyLives(static bench =>
        {
            bench.SetLength(2);
            bench.Flush();
            bench.Write('a', 0);
            Task flush = bench.File.FlushAsync();
            Task write = bench.File.WriteAsync(Platter.SectorSize, DiskBench.Sectors('B'));
            bench.Drain();
            Assert.True(flush.IsCompletedSuccessfully && write.IsCompletedSuccessfully);
            return bench.LosePower();
        }).Order(StringComparer.Ordinal));

    [Fact]
    public void Changes_of_length_survive_in_their_order()
    {
        HashSet<string> found = DiskBench.InManyLives(static bench =>
        {
            bench.Write('a', 0, count: 2);
            bench.Flush();
            bench.SetLength(1);
            bench.SetLength(3);
            return bench.LosePower();
        });
        Assert.Equal(["a", "a..", "aa"], found.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_lies_beyond_an_end_that_has_not_survived_is_gone() =>
        Assert.Equal(["a", "a...", "a..B"], DiskBench.InManyLives(static bench =>
        {
            bench.Write('a', 0);
            bench.Flush();
            bench.Write('B', 3);
            string found = bench.LosePower();
            bench.SetLength(found.Length + 3);
            bench.Flush();
            Assert.Equal(found + "...", bench.LosePower());
            return found;
        }).Order(StringComparer.Ordinal));

    [Fact]
    public void What_was_asked_for_before_never_ends()
    {
        DiskBench bench = new(1);
        Task[] tasks = [.. Enumerable.Range(0, 20).Select(i => (Task)bench.File.WriteAsync(i * Platter.SectorSize, DiskBench.Sectors('a')))];
        int ended = tasks.Count(static task => task.IsCompleted);
        SimulatedFile before = bench.File;
        bench.LosePower();
        tasks = [.. tasks, before.WriteAsync(0, DiskBench.Sectors('b'))];
        bench.Drain();
        Assert.Equal(ended, tasks.Count(static task => task.IsCompleted));
    }

    [Fact]
    public void Requests_are_carried_out_in_any_order()
    {
        HashSet<string> orders = DiskBench.InManyLives(static bench =>
        {
            for (int i = 0; i < 3; i++)
            {
                _ = bench.File.WriteAsync(i * Platter.SectorSize, DiskBench.Sectors('a'));
            }

            List<long> acknowledged = [];
            while (bench.Disk.Outstanding.Count > 0)
            {
                long[] before = [.. bench.Disk.Outstanding.Select(static request => request.Number)];
                bench.Disk.Step();
                acknowledged.AddRange(before.Except(bench.Disk.Outstanding.Select(static request => request.Number)));
            }

            return string.Join(',', acknowledged);
        });
        Assert.Superset(new HashSet<string> { "1,2,3", "1,3,2", "2,1,3", "2,3,1", "3,1,2", "3,2,1" }, orders);
    }
}
