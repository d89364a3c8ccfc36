using StorageCache.IO;
using StorageCache.KeyValueStore.Logging;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class LogSegmentTests
{
    /// <summary>LOG-8, LOG-10: in steady state the file neither grows nor shrinks.</summary>
    [Fact]
    public async Task Segments_are_used_again_and_the_file_stays_as_long_as_it_needs_to_be()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        long length = 0;
        for (int round = 0; round < 30; round++)
        {
            for (int i = 0; i < 20; i++)
            {
                await log.CommitAsync(LogBench.Payload(i, 9000));
            }

            ulong redoPoint = log.NextLsn;
            await log.EnsureDurableAsync(redoPoint);
            await log.RecycleBelowAsync(redoPoint);
            length = round == 3 ? disk.Length : length;
            Assert.True(round <= 3 || disk.Length == length, $"The file had {length} bytes and has {disk.Length}.");
            await using WriteAheadLog read = await LogBench.OpenAsync(disk, redoPoint);
            Assert.Empty(await read.PayloadsAsync());
        }
    }

    /// <summary>LOG-8: a redo point at a block's beginning, so near to its segment's that the seal before it might begin in the one before, which was recycled.</summary>
    [Fact]
    public async Task A_log_opens_at_a_redo_point_whose_segment_the_one_before_it_lay_in_as_well()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        const ulong Data = LogOptions.LeastSegmentBytes - 4096;
        while (log.DurableLsn != log.FirstLsn + (3 * Data))
        {
            await log.CommitAsync([1]);
        }

        await log.AppendAsync(LogBench.Payload(1, 100));
        ulong inside = log.NextLsn;
        await log.EnsureDurableAsync(inside);
        ulong redoPoint = log.DurableLsn;
        Assert.Equal(log.FirstLsn + (3 * Data) + 4096, redoPoint);
        await log.RecycleBelowAsync(inside);
        await log.RecycleBelowAsync(redoPoint);
        List<byte[]> payloads = [];
        for (int i = 0; i < 80; i++)
        {
            payloads.Add(LogBench.Payload(i, 3000));
            await log.CommitAsync(payloads[^1]);
        }

        await using WriteAheadLog read = await LogBench.OpenAsync(disk, redoPoint);
        Assert.Equal(payloads, await read.PayloadsAsync());
        await read.BeginAsync();
        await read.CommitAsync(LogBench.Payload(7, 200_000));
        await read.RecycleBelowAsync(read.DurableLsn);
    }

    /// <summary>LOG-10: what is not needed any more goes, at the end of the file only, and never below the minimum.</summary>
    [Fact]
    public async Task What_the_log_has_not_needed_lately_is_cut_off_and_the_file_opens_afterwards()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        await log.CommitAsync(LogBench.Payload(1, 1 << 20));
        Assert.True(log.Statistics.Segments > 15);
        for (int round = 0; round < 6; round++)
        {
            await log.CommitAsync([1]);
            await log.RecycleBelowAsync(log.DurableLsn).InTime();
        }

        // The segment in use lies where it lies; what is behind it is gone.
        int segments = log.Statistics.Segments;
        Assert.Equal(4096 + ((long)segments * LogOptions.LeastSegmentBytes), disk.Length);
        for (int round = 0; round < 40; round++)
        {
            await log.CommitAsync(LogBench.Payload(2, 9000));
            await log.RecycleBelowAsync(log.DurableLsn).InTime();
        }

        Assert.InRange(log.Statistics.Segments, 2, 3);
        ulong redoPoint = log.DurableLsn;
        await log.CommitAsync([9]);
        await using WriteAheadLog read = await LogBench.OpenAsync(disk, redoPoint);
        Assert.Equal([9], Assert.Single(await read.PayloadsAsync()));
    }

    /// <summary>LOG-10: a file that cannot be cut keeps its segments, says so, and uses them again.</summary>
    [Fact]
    public async Task A_file_that_cannot_be_cut_stays_as_it_is_and_goes_on()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        await log.CommitAsync(LogBench.Payload(1, 1 << 20));
        long length = disk.Length;
        disk.RefusesLength = true;
        for (int round = 0; round < 60; round++)
        {
            await log.CommitAsync(LogBench.Payload(2, 9000)).InTime();
            await log.RecycleBelowAsync(log.DurableLsn).InTime();
        }

        Assert.Equal(length, disk.Length);
        ulong redoPoint = log.DurableLsn;
        await log.CommitAsync(LogBench.Payload(3, 1 << 19)).InTime();
        Assert.Equal(length, disk.Length);
        await using WriteAheadLog read = await LogBench.OpenAsync(disk, redoPoint);
        Assert.Equal(LogBench.Payload(3, 1 << 19), Assert.Single(await read.PayloadsAsync()));
    }

    /// <summary>LOG-3: the flush of a commit has no new length to write.</summary>
    [Fact]
    public async Task A_commit_never_makes_the_file_longer()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        for (int i = 0; i < 50; i++)
        {
            await log.ReserveAsync(WriteAheadLog.SizeOf(9000));
            long length = disk.Length;
            log.Append(1, LogBench.Payload(i, 9000));
            log.Publish();
            await log.EnsureDurableAsync(log.NextLsn);
            Assert.Equal(length, disk.Length);
        }
    }

    /// <summary>LOG-4: no block that holds anything durable is written again.</summary>
    [Fact]
    public async Task Blocks_that_are_durable_are_not_written_again_before_they_are_recycled()
    {
        SectorDisk disk = new();
        HashSet<long> written = [];
        await using WriteAheadLog log = await LogBench.CreateAsync(disk);
        disk.Fault = request =>
        {
            for (int block = 0; request.Operation == BlockOperation.Write && block < request.ByteCount; block += 4096)
            {
                // What the file grows by is zeros before it is anything else.
                bool isZero = !request.Segments[0].Span.ContainsAnyExcept((byte)0);
                Assert.True(isZero || written.Add(request.Offset + block), $"Offset {request.Offset + block} is written twice.");
            }

            return null;
        };
        await log.BeginAsync();
        for (int i = 0; i < 100; i++)
        {
            await log.CommitAsync(LogBench.Payload(i, 100 + (i * 37)));
        }

        Assert.True(written.Count > 100);
    }

    /// <summary>LOG-11: the same records, written again after a crash, do not make valid what another life has left behind them.</summary>
    [Fact]
    public async Task Equal_records_written_again_do_not_join_what_another_epoch_has_left_behind_them()
    {
        SectorDisk one = new();
        await (await LogBench.StartAsync(one, Epoch(1))).DisposeAsync();
        SectorDisk other = one.Copy();
        ulong end = await LiveAsync(one, 2, 5);
        ulong first = await LiveAsync(other, 3, 1);
        Assert.True(first < end);

        // The other life's first batch, and behind it what this life has left there.
        int boundary = (int)(first - 4096) + 4096 + 4096;
        one.Bytes.AsSpan(boundary, 100_000 - boundary).CopyTo(other.Bytes.AsSpan(boundary));
        await using WriteAheadLog read = await LogBench.OpenAsync(other);
        Assert.Single(await read.PayloadsAsync());

        // As a check of this test: with the same epoch they would be one log.
        SectorDisk same = one.Copy();
        await using WriteAheadLog whole = await LogBench.OpenAsync(same);
        Assert.Equal(5, (await whole.PayloadsAsync()).Count);

        static LogOptions Epoch(ulong epoch) => new() { SegmentBytes = 128 << 10, BufferBytes = 64 << 10, EpochSource = () => epoch };

        static async Task<ulong> LiveAsync(SectorDisk disk, ulong epoch, int records)
        {
            await using WriteAheadLog log = await LogBench.OpenAsync(disk, 0, Epoch(epoch));
            await log.BeginAsync();
            ulong first = 0;
            for (int i = 0; i < records; i++)
            {
                // Without a flush, so that no seal claims anything.
                await log.EnsureWrittenAsync(await log.AppendAsync([42]));
                first = i == 0 ? log.WrittenLsn : first;
            }

            return records == 1 ? first : log.WrittenLsn;
        }
    }
}
