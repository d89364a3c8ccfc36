using StorageCache.IO;
using StorageCache.KeyValueStore.Logging;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class LogCommitTests
{
    /// <summary>LOG-17: who comes while a write is under way shares the next one, and its flush.</summary>
    [Fact]
    public async Task Sixty_four_who_wait_meanwhile_share_one_write_and_one_flush()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        int writes = disk.Writes;
        LogStatistics before = log.Statistics;
        disk.Hold();
        Task first = log.EnsureDurableAsync(await log.AppendAsync([0])).AsTask();
        Wait.Until(() => disk.HeldCount == 1, "the first write");
        List<Task> others = [];
        for (int i = 0; i < 64; i++)
        {
            others.Add(log.EnsureDurableAsync(await log.AppendAsync([(byte)i])).AsTask());
        }

        disk.Release();
        await first.InTime();
        await Task.WhenAll(others).InTime();
        LogStatistics after = log.Statistics;
        Assert.Equal(2, after.Flushes - before.Flushes);
        Assert.Equal(2, after.Batches - before.Batches);
        Assert.Equal(65, after.Commits - before.Commits);
        Assert.Equal(2, disk.Writes - writes);
    }

    /// <summary>LOG-18: one after another; durable only after the flush.</summary>
    [Fact]
    public async Task Each_step_waits_for_the_one_before_and_nothing_is_durable_before_its_flush()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        disk.Hold();
        ulong first = await log.AppendAsync([1]);
        Task written = log.EnsureWrittenAsync(first).AsTask();
        Task durable = log.EnsureDurableAsync(first).AsTask();
        Wait.Until(() => disk.HeldCount == 1, "the write");
        ulong second = await log.AppendAsync([2]);
        Task next = log.EnsureWrittenAsync(second).AsTask();
        Assert.Equal(1, disk.HeldCount);
        Assert.True(log.WrittenLsn < first);

        disk.Release(goOnHolding: true);
        await written.InTime();
        Wait.Until(() => disk.HeldCount == 1, "the flush");
        Assert.False(durable.IsCompleted);
        Assert.True(log.DurableLsn < first);
        Assert.True(log.WrittenLsn >= first && log.WrittenLsn < second);

        disk.Release(goOnHolding: true);
        await durable.InTime();
        Wait.Until(() => disk.HeldCount == 1, "the second write");
        Assert.False(next.IsCompleted);
        disk.Release();
        await next.InTime();
        Assert.True(log.DurableLsn < second);
    }

    [Fact]
    public async Task What_is_only_to_be_written_is_not_flushed()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        int flushes = disk.Flushes;
        for (int i = 0; i < 20; i++)
        {
            await log.EnsureWrittenAsync(await log.AppendAsync([(byte)i])).InTime();
        }

        Assert.Equal(flushes, disk.Flushes);
        await log.EnsureDurableAsync(log.NextLsn).InTime();
        Assert.Equal(flushes + 1, disk.Flushes);
    }

    /// <summary>LOG-19: it leaves, once; the write goes on, and so do the others.</summary>
    [Fact]
    public async Task Who_is_cancelled_leaves_and_the_write_goes_on()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        using CancellationTokenSource cancel = new();
        disk.Hold();
        ulong lsn = await log.AppendAsync([1]);
        Task leaves = log.EnsureDurableAsync(lsn, cancel.Token).AsTask();
        Task stays = log.EnsureDurableAsync(lsn).AsTask();
        Wait.Until(() => disk.HeldCount == 1, "the write");
        cancel.Cancel();
        OperationCanceledException error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaves.InTime());
        Assert.Equal(cancel.Token, error.CancellationToken);
        Assert.False(stays.IsCompleted);
        disk.Release();
        await stays.InTime();
        Assert.True(log.EnsureDurableAsync(lsn, cancel.Token).IsCompletedSuccessfully);
        ulong later = await log.AppendAsync([2]);
        Assert.True(log.EnsureDurableAsync(later, cancel.Token).IsCanceled);
    }

    /// <summary>LOG-19: nobody's continuation keeps the loop or another one from going on.</summary>
    [Fact]
    public async Task A_waiter_that_blocks_stops_nobody_else()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        using ManualResetEventSlim go = new();
        Task blocked = BlockAsync();
        for (int i = 0; i < 5; i++)
        {
            await log.CommitAsync([1]).InTime();
        }

        go.Set();
        await blocked.InTime();

        async Task BlockAsync()
        {
            ulong lsn = await log.AppendAsync([0]);
            await log.EnsureDurableAsync(lsn).ConfigureAwait(false);
            go.Wait();
        }
    }

    /// <summary>LOG-15: nothing of a group is written before it is whole.</summary>
    [Fact]
    public async Task A_group_is_not_written_before_it_is_published()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        int writes = disk.Writes;
        ulong before = await log.AppendAsync([0]);
        await log.ReserveAsync(3 * WriteAheadLog.SizeOf(8));
        ulong first = log.Append(1, new byte[8]);
        Task early = log.EnsureWrittenAsync(before).AsTask();
        Task waits = log.EnsureDurableAsync(first).AsTask();
        log.Append(2, new byte[8]);
        Assert.Equal(writes, disk.Writes);
        Assert.False(waits.IsCompleted);
        ulong last = log.Append(3, new byte[8]);
        log.Publish();
        await waits.InTime();
        await early.InTime();
        Assert.True(log.DurableLsn >= last);
        Assert.Equal(writes + 1, disk.Writes);
    }

    [Fact]
    public async Task Lsns_rise_and_name_ends_and_what_is_out_of_range_is_refused()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        ulong next = log.NextLsn;
        ulong lsn = await log.AppendAsync([1, 2, 3]);
        Assert.Equal(next + 40, lsn);
        Assert.Equal(lsn, log.NextLsn);
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = log.EnsureDurableAsync(lsn + 1); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = log.EnsureWrittenAsync(ulong.MaxValue); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = log.ReserveAsync(-1); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = log.ReserveAsync(LogOptions.GreatestReservation + 1L); });
        Assert.Throws<ArgumentOutOfRangeException>(() => { _ = log.RecycleBelowAsync(lsn); });
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Append(128, []));
        await log.ReserveAsync(WriteAheadLog.SizeOf(10));
        Assert.Throws<InvalidOperationException>(() => log.Append(1, new byte[50]));
        log.Append(1, new byte[10]);
        Assert.Throws<InvalidOperationException>(() => log.Append(1, []));
        log.Publish();
        Assert.True(log.EnsureDurableAsync(0).IsCompletedSuccessfully);
        await Assert.ThrowsAsync<InvalidOperationException>(() => log.BeginAsync());
    }

    [Fact]
    public async Task Disposing_waits_for_the_write_under_way_and_sends_everybody_home()
    {
        SectorDisk disk = new();
        WriteAheadLog log = await LogBench.StartAsync(disk);
        disk.Hold();
        ulong lsn = await log.AppendAsync([1]);
        Task waiter = log.EnsureDurableAsync(lsn).AsTask();
        Wait.Until(() => disk.HeldCount == 1, "the write");
        Task disposal = log.DisposeAsync().AsTask();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiter.InTime());
        Assert.False(disposal.IsCompleted);
        disk.Release();
        await disposal.InTime();
        await log.DisposeAsync().InTime();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => log.EnsureDurableAsync(lsn).AsTask());
        Assert.Throws<ObjectDisposedException>(() => { _ = log.ReserveAsync(1); });
    }

    /// <summary>LOG-13: also between two attempts.</summary>
    [Fact]
    public async Task Disposing_does_not_wait_for_another_attempt()
    {
        SectorDisk disk = new();
        LogOptions options = new() { SegmentBytes = 64 << 10, BufferBytes = 64 << 10, WriteRetryDelay = TimeSpan.FromDays(1) };
        WriteAheadLog log = await LogBench.StartAsync(disk, options);
        disk.Fault = request => request.Operation == BlockOperation.Write ? new IOException("not now") : null;
        Task waiter = log.EnsureDurableAsync(await log.AppendAsync([1])).AsTask();
        Wait.Until(() => log.Statistics.WriteRetries == 1, "the first attempt");
        await log.DisposeAsync().InTime();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiter.InTime());
    }

    /// <summary>LOG-20: whoever comes, leaves or is woken at whatever moment.</summary>
    [Fact]
    public async Task No_wake_up_is_lost_among_many_committers()
    {
        for (int run = 0; run < 100; run++)
        {
            SectorDisk disk = new();
            await using WriteAheadLog log = await LogBench.StartAsync(disk);
            using SemaphoreSlim writer = new(1, 1);
            await Task.WhenAll(Enumerable.Range(0, 16).Select(number => Task.Run(() => CommitAsync(log, writer, number, run)))).InTime();
            Assert.True(log.DurableLsn <= log.NextLsn);
            await using WriteAheadLog read = await LogBench.OpenAsync(disk);
            Assert.Equal(16 * 12, (await read.PayloadsAsync()).Count);
        }
    }

    private static async Task CommitAsync(WriteAheadLog log, SemaphoreSlim writer, int number, int run)
    {
        Random random = new((run * 100) + number);
        for (int i = 0; i < 12; i++)
        {
            ulong lsn;
            await writer.WaitAsync();
            try
            {
                lsn = await log.AppendAsync(new byte[random.Next(300)]);
            }
            finally
            {
                writer.Release();
            }

            switch (random.Next(4))
            {
                case 0:
                    await log.EnsureWrittenAsync(lsn);
                    break;
                case 1:
                    CancellationTokenSource cancel = new();
                    ValueTask wait = log.EnsureDurableAsync(lsn, cancel.Token);
                    ThreadPool.UnsafeQueueUserWorkItem(static source => source.Cancel(), cancel, preferLocal: false);
                    try
                    {
                        await wait;
                    }
                    catch (OperationCanceledException)
                    {
                        // As it was asked to; the record stays.
                    }

                    break;
                default:
                    await log.EnsureDurableAsync(lsn);
                    Assert.True(log.DurableLsn >= lsn);
                    break;
            }
        }

        await log.EnsureDurableAsync(log.NextLsn);
    }
}
