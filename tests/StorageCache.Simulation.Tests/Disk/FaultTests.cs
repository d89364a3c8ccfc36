using StorageCache.IO;
using StorageCache.Simulation.Disk;
using Xunit;

namespace StorageCache.Simulation.Tests.Disk;

/// <summary>Each fault does what the table in <c>docs/simulation.md</c> says (SIM-5).</summary>
public class FaultTests
{
    [Fact]
    public async Task A_read_error_fails_the_read()
    {
        DiskBench bench = WithContent(Fault.ReadError);
        Task<int> read = bench.File.ReadAsync(0, new byte[512]);
        bench.Drain();
        await AssertFails(read, errno: 5);
        bench.Disk.Mend();
        read = bench.File.ReadAsync(0, new byte[512]);
        bench.Drain();
        Assert.Equal(512, await read);
    }

    [Fact]
    public void A_write_error_changes_nothing()
    {
        DiskBench bench = WithContent(Fault.WriteError);
        Assert.Equal(5, Assert.IsType<BlockIOException>(bench.Write('B', 1, count: 1)).Errno);
        Assert.Equal("aaaaaaaa", bench.Read());
        Assert.False(bench.File.Platter.IsDamaged(0, 4096));
    }

    [Fact]
    public void A_torn_write_fails_and_has_changed_some_sectors()
    {
        HashSet<string> found = Many(Fault.TornWrite, static bench =>
        {
            Assert.NotNull(bench.Write('B', 0, count: 8));
            return bench.Read();
        });
        Assert.True(found.Count > 10);
        Assert.DoesNotContain("aaaaaaaa", found);
    }

    [Fact]
    public void A_short_write_says_how_much_it_has_written()
    {
        HashSet<string> found = Many(Fault.ShortWrite, static bench =>
        {
            Task<int> write = bench.File.WriteAsync(0, DiskBench.Sectors('B', 8));
            while (!write.IsCompleted)
            {
                bench.Disk.Step();
            }

            int sectors = write.Result / Platter.SectorSize;
            Assert.InRange(sectors, 0, 7);
            Assert.StartsWith(new string('B', sectors), bench.Read(), StringComparison.Ordinal);
            return bench.Read();
        });
        Assert.True(found.Count >= 8);
    }

    [Fact]
    public void Bad_sectors_stay_bad_until_the_disk_is_mended()
    {
        DiskBench bench = WithContent(Fault.BadSectors);
        Assert.NotNull(bench.Write('B', 3));
        bench.Plan[Fault.BadSectors] = 0;
        Assert.NotNull(bench.Write('B', 3));
        Assert.NotNull(bench.Write('B', 0, count: 8));
        bench.Disk.Mend();
        Assert.Null(bench.Write('B', 3));
        Assert.Equal("aaaBaaaa", bench.Read());
    }

    [Fact]
    public void A_flush_error_keeps_what_there_is()
    {
        HashSet<string> found = Many(Fault.FlushError, static bench =>
        {
            bench.Write('B', 0);
            Assert.NotNull(bench.Flush());
            Assert.Equal("Baaaaaaa", bench.Read());
            return bench.LosePower();
        });
        Assert.Equal(2, found.Count);
    }

    [Fact]
    public void A_dropping_flush_fails_and_readers_see_that_it_has_lost_something()
    {
        HashSet<string> found = Many(Fault.DroppingFlush, static bench =>
        {
            bench.Write('B', 0, count: 2);
            Assert.NotNull(bench.Flush());
            return bench.Read()[..2];
        });
        Assert.Equal(["BB", "Ba", "aB", "aa"], found.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_dropping_flush_does_not_bring_back_what_was_cut_off() =>
        Assert.Equal(["aaaa...."], Many(Fault.DroppingFlush, static bench =>
        {
            bench.SetLength(4);
            Assert.NotNull(bench.Flush());
            bench.SetLength(8);
            return bench.Read();
        }));

    [Fact]
    public void No_space_is_for_what_makes_the_file_longer()
    {
        DiskBench bench = WithContent(Fault.NoSpace);
        Assert.Equal(28, Assert.IsType<BlockIOException>(bench.Write('B', 8)).Errno);
        Assert.Equal(28, Assert.IsType<BlockIOException>(bench.SetLength(9)).Errno);
        Assert.Null(bench.Write('B', 7));
        Assert.Null(bench.SetLength(7));
        bench.Disk.WritesElsewhere = true;
        Assert.Equal(28, Assert.IsType<BlockIOException>(bench.Write('C', 6)).Errno);
    }

    [Fact]
    public void A_slow_request_ends_when_its_time_has_come()
    {
        DiskBench bench = WithContent(Fault.Slow);
        Task write = bench.File.WriteAsync(0, DiskBench.Sectors('B'));
        bench.Drain();
        Assert.False(write.IsCompleted);
        bench.Clock.Advance(bench.Disk.NextDue - bench.Clock.Now);
        bench.Drain();
        Assert.True(write.IsCompletedSuccessfully);
    }

    [Fact]
    public void A_stuck_request_ends_when_the_disk_is_mended()
    {
        DiskBench bench = WithContent(Fault.Stuck);
        Task write = bench.File.WriteAsync(0, DiskBench.Sectors('B'));
        bench.Clock.Advance(TimeSpan.FromDays(1).Ticks);
        bench.Drain();
        Assert.False(write.IsCompleted);
        Assert.Equal(long.MaxValue, bench.Disk.NextDue);
        bench.Disk.Mend();
        bench.Drain();
        Assert.True(write.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_short_read_damages_what_it_leaves_out()
    {
        DiskBench bench = WithContent(Fault.ShortRead);
        Task<int> read = bench.File.ReadAsync(0, new byte[4096]);
        while (!read.IsCompleted)
        {
            bench.Disk.Step();
        }

        int bytes = await read;
        Assert.InRange(bytes, 0, 4095);
        Assert.False(bench.File.Platter.IsDamaged(0, bytes));
        Assert.True(bench.File.Platter.IsDamaged(bytes, 512));
    }

    [Fact]
    public void A_misdirected_write_leaves_its_place_alone_and_is_somewhere_else()
    {
        HashSet<string> found = Many(Fault.MisdirectedWrite, static bench =>
        {
            Assert.Null(bench.Write('B', 2));
            Assert.True(bench.File.Platter.IsDamaged(1024, 512));
            string sectors = bench.Read();
            int where = sectors.IndexOf('B', StringComparison.Ordinal);
            Assert.True(where < 0 || bench.File.Platter.IsDamaged(where * 512, 512));
            return sectors;
        });
        Assert.True(found.Count >= 7);
    }

    [Fact]
    public void A_lost_write_is_acknowledged_and_not_made()
    {
        DiskBench bench = WithContent(Fault.LostWrite);
        Assert.Null(bench.Write('B', 2));
        Assert.Equal("aaaaaaaa", bench.Read());
        Assert.True(bench.File.Platter.IsDamaged(1024, 512));
        Assert.False(bench.File.Platter.IsDamaged(0, 1024));
        bench.Plan.IsOn = false;
        Assert.Null(bench.Write('C', 2));
        Assert.False(bench.File.Platter.IsDamaged(0, 4096));
    }

    [Fact]
    public void Bit_rot_changes_what_is_stored()
    {
        DiskBench bench = WithContent(Fault.BitRot);
        bench.Flush();
        Assert.Contains('?', bench.Read());
        Assert.True(bench.File.Platter.IsDamaged(0, 4096));
    }

    [Fact]
    public void A_lying_length_is_another_one_than_there_is()
    {
        DiskBench bench = WithContent(Fault.LyingLength);
        Assert.Contains(Enumerable.Range(0, 20).Select(_ => bench.File.Length), static length => length != 4096);
        Assert.True(bench.File.Platter.IsLengthDamaged);
    }

    [Fact]
    public void A_lying_flush_makes_nothing_durable()
    {
        HashSet<string> found = Many(Fault.LyingFlush, static bench =>
        {
            bench.Write('B', 0);
            Assert.Null(bench.Flush());
            Assert.False(bench.File.Platter.IsDamaged(0, 512));
            string sectors = bench.LosePower();
            Assert.Equal(sectors[0] == 'a', bench.File.Platter.IsDamaged(0, 512));
            return sectors;
        });
        Assert.Equal(2, found.Count);
    }

    [Fact]
    public void Every_fault_is_either_silent_or_honest() =>
        Assert.Equal(Enum.GetValues<Fault>(), FaultPlan.Silent.Concat(FaultPlan.Honest).Order());

    /// <summary>A file of eight sectors that is durable, on a disk on which one thing always goes wrong.</summary>
    private static DiskBench WithContent(Fault fault) => Prepare(new DiskBench(7), fault);

    private static HashSet<string> Many(Fault fault, Func<DiskBench, string> life) =>
        DiskBench.InManyLives(bench => life(Prepare(bench, fault)));

    private static DiskBench Prepare(DiskBench bench, Fault fault)
    {
        Assert.Null(bench.Write('a', 0, count: 8));
        Assert.Null(bench.Flush());
        bench.Plan[fault] = 1;
        return bench;
    }

    private static async Task AssertFails(Task task, int errno) =>
        Assert.Equal(errno, (await Assert.ThrowsAsync<BlockIOException>(() => task)).Errno);
}
