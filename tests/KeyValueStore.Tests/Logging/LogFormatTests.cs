using System.Buffers.Binary;
using System.IO.Hashing;
using StorageCache.IO;
using StorageCache.KeyValueStore.Logging;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class LogFormatTests
{
    /// <summary>LOG-1: refused, with the reason, and unchanged.</summary>
    [Theory]
    [InlineData("empty", LogDefect.Unfinished)]
    [InlineData("zeros", LogDefect.Unfinished)]
    [InlineData("other", LogDefect.NotALog)]
    [InlineData("version", LogDefect.OtherVersion)]
    [InlineData("decayed", LogDefect.Damaged)]
    [InlineData("foreign", LogDefect.Foreign)]
    [InlineData("cut in its header", LogDefect.CutOff)]
    [InlineData("cut in its first segment", LogDefect.CutOff)]
    [InlineData("coarse", LogDefect.Alignment)]
    [InlineData("too coarse", LogDefect.Alignment)]
    public async Task What_is_not_the_log_that_was_to_be_opened_is_refused_and_left_alone(string what, object defect)
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk, new LogOptions { BlockBytes = 512, SegmentBytes = 64 << 10 }))
        {
            await log.CommitAsync([1]);
        }

        switch (what)
        {
            case "empty":
                disk.Cut(0);
                break;
            case "zeros":
                disk.Bytes.AsSpan(0, 512).Clear();
                break;
            case "other":
                disk.Bytes[3]++;
                break;
            case "version":
                disk.Bytes[8]++;
                break;
            case "decayed":
                disk.Bytes[41] ^= 1;
                break;
            case "foreign":
                disk.Bytes[20]++;
                BinaryPrimitives.WriteUInt64LittleEndian(disk.Bytes.AsSpan(48), XxHash3.HashToUInt64(disk.Bytes.AsSpan(0, 48)));
                break;
            case "cut in its header":
                disk.Cut(300);
                break;
            case "cut in its first segment":
                disk.Cut(9000);
                break;
            case "coarse":
                disk.Alignment = 1024;
                break;
            default:
                disk.Alignment = 8192;
                break;
        }

        byte[] before = disk.Bytes[..(int)disk.Length];
        int writes = disk.Writes;
        LogFormatException error = await Assert.ThrowsAsync<LogFormatException>(() => LogBench.OpenAsync(disk));
        Assert.Equal((LogDefect)defect, error.Defect);
        Assert.Contains("'store.log'", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, disk.Bytes[..(int)disk.Length]);
        Assert.Equal(writes, disk.Writes);
    }

    /// <summary>LOG-2: whatever request the machine stops at.</summary>
    [Fact]
    public async Task A_log_that_is_half_made_is_known_as_such_and_a_whole_one_opens()
    {
        int unfinished = 0;
        for (int stop = 0; ; stop++)
        {
            SectorDisk disk = new();
            disk.PowerFailsAfter = stop;
            bool made = true;
            try
            {
                await (await LogBench.CreateAsync(disk)).DisposeAsync();
            }
            catch (IOException)
            {
                made = false;
            }

            if (made && !disk.IsOff)
            {
                break;
            }

            disk.RestoreAfterPowerLoss(new Random(stop));
            try
            {
                await using WriteAheadLog log = await LogBench.OpenAsync(disk);
                Assert.Equal(log.FirstLsn, log.EndLsn);
            }
            catch (LogFormatException error) when (error.Defect == LogDefect.Unfinished)
            {
                Assert.False(made);
                unfinished++;
            }
        }

        Assert.True(unfinished > 0);
    }

    /// <summary>LOG-10: a file that has lost segments is not taken for a shorter log.</summary>
    [Fact]
    public async Task A_file_that_was_cut_between_segments_is_refused()
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            for (int i = 0; i < 20; i++)
            {
                await log.CommitAsync(LogBench.Payload(i, 10_000));
            }

            Assert.True(log.Statistics.Segments > 3);
        }

        while (disk.Length > 4096 + (2 * LogOptions.LeastSegmentBytes))
        {
            disk.Cut(disk.Length - LogOptions.LeastSegmentBytes);
            IOException error = await Assert.ThrowsAnyAsync<LogException>(() => LogBench.OpenAsync(disk));
            Assert.True(error is LogFormatException { Defect: LogDefect.CutOff } or LogCorruptException, error.Message);
        }
    }

    [Theory]
    [InlineData(8UL)]
    [InlineData(4097UL)]
    [InlineData(1UL << 40)]
    [InlineData(4096UL + 512)]
    public async Task A_redo_point_that_is_none_is_refused(ulong redoPoint)
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            await log.CommitAsync(LogBench.Payload(1, 20_000));
        }

        await Assert.ThrowsAsync<LogCorruptException>(() => LogBench.OpenAsync(disk, redoPoint));
    }

    /// <summary>LOG-7: an error is never the end.</summary>
    [Fact]
    public async Task A_read_error_while_opening_is_an_error_whichever_read_it_is()
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            for (int i = 0; i < 10; i++)
            {
                await log.CommitAsync(LogBench.Payload(i, 10_000));
            }
        }

        disk.Fault = null;
        int before = disk.Reads;
        await (await LogBench.OpenAsync(disk)).DisposeAsync();
        int reads = disk.Reads - before;
        Assert.True(reads > 5);
        for (int bad = 0; bad < reads; bad++)
        {
            int left = bad;
            disk.Fault = request => request.Operation == BlockOperation.Read && left-- == 0 ? new IOException("cannot read") : null;
            IOException error = await Assert.ThrowsAsync<IOException>(() => LogBench.OpenAsync(disk));
            Assert.Equal("cannot read", error.Message);
        }
    }

    [Fact]
    public async Task A_flush_that_fails_while_opening_is_an_error()
    {
        SectorDisk disk = new();
        await (await LogBench.StartAsync(disk)).DisposeAsync();
        disk.Fault = request => request.Operation == BlockOperation.Flush ? new IOException("cannot flush") : null;
        Assert.Equal("cannot flush", (await Assert.ThrowsAsync<IOException>(() => LogBench.OpenAsync(disk))).Message);
    }

    [Fact]
    public async Task A_log_on_a_read_only_device_can_be_read_and_not_begun()
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            await log.CommitAsync([7]);
        }

        disk.IsReadOnly = true;
        int flushes = disk.Flushes;
        await using WriteAheadLog read = await LogBench.OpenAsync(disk);
        Assert.Equal([7], Assert.Single(await read.PayloadsAsync()));
        Assert.Equal(flushes, disk.Flushes);
        await Assert.ThrowsAsync<InvalidOperationException>(() => read.BeginAsync());
        await Assert.ThrowsAsync<InvalidOperationException>(() => read.ReserveAsync(1).AsTask());
    }

    [Theory]
    [InlineData(-1, 4096, 2, 1 << 20, 5)]
    [InlineData(65536 + 512, 4096, 2, 1 << 20, 5)]
    [InlineData(65536, 8192, 2, 1 << 20, 5)]
    [InlineData(65536, 4096, 0, 1 << 20, 5)]
    [InlineData(65536, 4096, 2, 4096, 5)]
    [InlineData(65536, 4096, 2, 1 << 20, 0)]
    public async Task Options_out_of_range_are_refused(int segment, int block, int segments, int buffer, int attempts) =>
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => LogBench.CreateAsync(
            new SectorDisk(),
            new LogOptions { SegmentBytes = segment, BlockBytes = block, MinimumSegments = segments, BufferBytes = buffer, WriteAttempts = attempts }));

    [Fact]
    public async Task A_log_can_begin_at_any_lsn_and_lie_in_memory()
    {
        await using MemoryBlockDevice memory = new("memory");
        await using WriteAheadLog log = await WriteAheadLog.CreateAsync(memory, LogBench.Identity, 5_000_000_001, LogBench.Options);
        await log.BeginAsync();
        Assert.Equal(5_000_003_584UL, log.FirstLsn);
        ulong lsn = await log.CommitAsync(LogBench.Payload(1, 100_000));
        await using WriteAheadLog read = await LogBench.OpenAsync(memory);
        Assert.Equal(LogBench.Payload(1, 100_000), Assert.Single(await read.PayloadsAsync()));
        Assert.True(read.EndLsn > lsn);
    }
}
