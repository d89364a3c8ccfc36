using StorageCache.IO;
using StorageCache.KeyValueStore.Logging;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class LogRotTests
{
    /// <summary>LOG-6: wherever a bit flips, but for the last batch, of which nothing later says that it was durable.</summary>
    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public async Task Decay_of_anything_durable_is_reported_and_never_taken_for_the_end(int blockBytes)
    {
        SectorDisk disk = new();
        ulong beforeLast;
        LogOptions options = new() { SegmentBytes = 64 << 10, BlockBytes = blockBytes, BufferBytes = 64 << 10 };
        await using (WriteAheadLog log = await LogBench.StartAsync(disk, options))
        {
            for (int i = 0; i < 30; i++)
            {
                // Also such that seals lie across the ends of segments, as some of so many do.
                await log.CommitAsync(LogBench.Payload(i, 400 + (i * 331 % 9000)));
            }

            beforeLast = log.DurableLsn;
            await log.CommitAsync([1]);
        }

        int reported = 0;
        await using WriteAheadLog whole = await LogBench.OpenAsync(disk);
        for (ulong lsn = whole.FirstLsn; lsn < whole.EndLsn; lsn += 104)
        {
            int offset = Offset(whole, lsn);
            byte before = disk.Bytes[offset];
            disk.Bytes[offset] ^= 0x10;
            if (lsn < beforeLast)
            {
                LogCorruptException error = await Assert.ThrowsAsync<LogCorruptException>(() => LogBench.OpenAsync(disk));
                Assert.True(error.Lsn <= lsn, $"LSN {lsn} has decayed, and the error names {error.Lsn}.");
                Assert.True(error.Offset <= offset || whole.FirstLsn == 0);
                reported++;
            }
            else
            {
                await using WriteAheadLog shorter = await LogBench.OpenAsync(disk);
                Assert.Equal(beforeLast, shorter.EndLsn);
            }

            disk.Bytes[offset] = before;
        }

        Assert.True(reported > 1000);
        await (await LogBench.OpenAsync(disk)).DisposeAsync();
    }

    /// <summary>LOG-6: the header of a segment says where its records are; they are found without it.</summary>
    [Fact]
    public async Task A_segment_whose_header_has_decayed_is_reported()
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            for (int i = 0; i < 34; i++)
            {
                await log.CommitAsync(LogBench.Payload(i, 7000));
            }
        }

        int slots = (int)((disk.Length - 4096) / LogOptions.LeastSegmentBytes);
        Assert.True(slots > 3);
        int reported = 0;
        for (int slot = 0; slot < slots; slot++)
        {
            int offset = 4096 + (slot * LogOptions.LeastSegmentBytes) + 30;
            bool isUsed = disk.Bytes.AsSpan(offset - 30, 48).ContainsAnyExcept((byte)0);
            disk.Bytes[offset] ^= 1;
            if (isUsed)
            {
                await Assert.ThrowsAsync<LogCorruptException>(() => LogBench.OpenAsync(disk));
                reported++;
            }

            disk.Bytes[offset] ^= 1;
        }

        Assert.True(reported > 3);
    }

    /// <summary>
    /// LOG-6: a batch that never came to the disk, though the flush said so, is missed if a later batch says that it was durable. If it was the
    /// last one, nothing tells.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_batch_that_a_lying_flush_has_lost_is_missed_if_there_is_a_later_one(bool isLast)
    {
        SectorDisk disk = new();
        ulong lost;
        int from;
        int end;
        byte[] before;
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            await log.CommitAsync(LogBench.Payload(1, 3000));
            lost = log.DurableLsn;
            from = Offset(log, lost);
            before = [.. disk.Bytes];
            await log.CommitAsync(LogBench.Payload(2, 3000));
            end = Offset(log, log.DurableLsn);
            if (!isLast)
            {
                await log.CommitAsync(LogBench.Payload(3, 3000));
            }
        }

        before.AsSpan(from..end).CopyTo(disk.Bytes.AsSpan(from));
        if (isLast)
        {
            await using WriteAheadLog shorter = await LogBench.OpenAsync(disk);
            Assert.Equal(lost, shorter.EndLsn);
        }
        else
        {
            LogCorruptException error = await Assert.ThrowsAsync<LogCorruptException>(() => LogBench.OpenAsync(disk));
            Assert.Equal(lost, error.Lsn);
        }
    }

    /// <summary>LOG-12: a walk reports what has decayed since the log was opened, and nothing else.</summary>
    [Fact]
    public async Task Verifying_names_the_first_problem_and_finds_none_in_a_sound_log()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        for (int i = 0; i < 10; i++)
        {
            await log.CommitAsync(LogBench.Payload(i, 10_000));
        }

        List<long> told = [];
        LogVerification sound = await log.VerifyAsync(new Told(told));
        Assert.Null(sound.Problem);
        Assert.Equal(10, sound.Records);
        Assert.Equal((long)(log.WrittenLsn - log.RedoPoint), sound.Bytes);
        Assert.Equal(sound.Bytes, told[^1]);

        ulong lsn = log.FirstLsn + 50_000;
        disk.Bytes[Offset(log, lsn)] ^= 1;
        LogVerification decayed = await log.VerifyAsync();
        Assert.NotNull(decayed.Problem);
        Assert.InRange(decayed.Problem.Lsn, lsn - 11_000, lsn);
        Assert.Contains("checksum", decayed.Problem.Found, StringComparison.Ordinal);
    }

    /// <summary>LOG-12: what is missing at the end of the file is reported like what has decayed.</summary>
    [Fact]
    public async Task Verifying_reports_a_log_that_has_become_shorter()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        for (int i = 0; i < 10; i++)
        {
            await log.CommitAsync(LogBench.Payload(i, 10_000));
        }

        await disk.SetLengthAsync(Offset(log, log.FirstLsn + 4096), TestContext.Current.CancellationToken);
        LogVerification shorter = await log.VerifyAsync();
        Assert.Contains("the file ends", Assert.IsType<LogCorruptException>(shorter.Problem).Found, StringComparison.Ordinal);
    }

    /// <summary>LOG-10: a device that says once that it is shorter than the log's segments need is not believed to have just fewer of them.</summary>
    [Fact]
    public async Task A_log_whose_length_is_a_lie_once_is_refused_or_whole()
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            await log.CommitAsync(LogBench.Payload(1, 10_000));
        }

        for (int lie = 0; lie < 4; lie++)
        {
            int asked = 0;
            disk.LengthOf = length => asked++ == lie ? 4096 : length;
            try
            {
                await using WriteAheadLog log = await LogBench.OpenAsync(disk);
                Assert.Single(await log.PayloadsAsync());
            }
            catch (LogException)
            {
                // Refused: the next opening may be told the truth.
            }
        }
    }

    /// <summary>LOG-12: a walk that comes to what was recycled meanwhile, and cut off the file perhaps, goes on where the log begins now.</summary>
    [Fact]
    public async Task Verifying_leaves_out_what_is_recycled_meanwhile_and_cannot_be_read_any_more()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        for (int i = 0; i < 50; i++)
        {
            await log.CommitAsync(LogBench.Payload(i, 10_000));
        }

        ulong redoPoint = log.DurableLsn;
        await log.CommitAsync([7]);
        int reads = 0;
        bool recycles = false;
        disk.Fault = request =>
        {
            if (request.Operation != BlockOperation.Read || ++reads != 3)
            {
                return null;
            }

            if (recycles)
            {
                Assert.True(log.RecycleBelowAsync(redoPoint).IsCompletedSuccessfully);
            }

            return new IOException("The file has become shorter.");
        };
        await Assert.ThrowsAsync<IOException>(() => log.VerifyAsync());
        reads = 0;
        recycles = true;
        LogVerification sound = await log.VerifyAsync();
        Assert.Null(sound.Problem);
        Assert.Equal(1, sound.Records);
        Assert.Equal((long)(log.DurableLsn - redoPoint), sound.Bytes);
    }

    [Fact]
    public async Task A_log_that_decays_between_opening_and_reading_is_reported()
    {
        SectorDisk disk = new();
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            await log.CommitAsync(LogBench.Payload(1, 3000));
        }

        await using WriteAheadLog read = await LogBench.OpenAsync(disk);
        disk.Bytes[Offset(read, read.EndLsn - 2000)] ^= 1;
        await Assert.ThrowsAsync<LogCorruptException>(() => read.PayloadsAsync());
    }

    // As long as nothing has been recycled, segments lie in the order of their numbers.
    private static int Offset(WriteAheadLog log, ulong lsn)
    {
        (long segment, long within) = Math.DivRem((long)(lsn - log.FirstLsn), LogOptions.LeastSegmentBytes - 4096);
        return (int)(4096 + (segment * LogOptions.LeastSegmentBytes) + 4096 + within);
    }

    private sealed class Told(List<long> values) : IProgress<long>
    {
        public void Report(long value) => values.Add(value);
    }
}
