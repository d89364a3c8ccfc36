using StorageCache.IO;
using StorageCache.KeyValueStore.Logging;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class LogFaultTests
{
    /// <summary>LOG-13: the same bytes to the same place, whole or torn before.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(512)]
    [InlineData(1024)]
    public async Task A_write_that_fails_is_tried_again(int tornAt)
    {
        SectorDisk disk = new() { TornAt = _ => tornAt };
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            int failures = 4;
            disk.Fault = request => request.Operation == BlockOperation.Write && failures-- > 0 ? new IOException("not now") : null;
            await log.CommitAsync(LogBench.Payload(1, 5000)).InTime();
            Assert.Equal(4, log.Statistics.WriteRetries);
        }

        await using WriteAheadLog read = await LogBench.OpenAsync(disk);
        Assert.Equal(LogBench.Payload(1, 5000), Assert.Single(await read.PayloadsAsync()));
    }

    /// <summary>LOG-14: for whoever waits and whoever comes, and only opening anew ends it.</summary>
    [Theory]
    [InlineData(BlockOperation.Write)]
    [InlineData(BlockOperation.Flush)]
    public async Task A_log_that_cannot_be_written_or_flushed_has_failed_for_good(BlockOperation operation)
    {
        SectorDisk disk = new();
        ulong durable;
        await using (WriteAheadLog log = await LogBench.StartAsync(disk))
        {
            await log.CommitAsync([1]);
            durable = log.DurableLsn;
            int failures = operation == BlockOperation.Flush ? 1 : LogBench.Options.WriteAttempts;
            disk.Fault = request => request.Operation == operation && failures-- > 0 ? new IOException("broken") : null;
            disk.Hold();
            ulong lsn = await log.AppendAsync([2]);
            Task[] waiters = [.. Enumerable.Range(0, 5).Select(_ => log.EnsureDurableAsync(lsn).AsTask()), log.EnsureWrittenAsync(lsn).AsTask()];
            disk.Release();
            foreach (Task waiter in waiters[..5])
            {
                LogFailedException error = await Assert.ThrowsAsync<LogFailedException>(() => waiter.InTime());
                Assert.Equal("broken", error.InnerException!.Message);
                Assert.Equal(durable, error.Lsn);
                Assert.Equal(durable, error.DurableLsn);
                Assert.Contains("'store.log'", error.Message, StringComparison.Ordinal);
            }

            Assert.Equal(operation == BlockOperation.Flush, waiters[5].IsCompletedSuccessfully);
            await Assert.ThrowsAsync<LogFailedException>(() => log.EnsureDurableAsync(lsn).AsTask());
            await Assert.ThrowsAsync<LogFailedException>(() => log.ReserveAsync(100).AsTask());
            await Assert.ThrowsAsync<LogFailedException>(() => log.RecycleBelowAsync(durable).AsTask());
            Assert.Equal(durable, log.DurableLsn);

            // What was durable is durable.
            await log.EnsureDurableAsync(durable);
        }

        disk.Fault = null;
        await using WriteAheadLog read = await LogBench.OpenAsync(disk);
        Assert.Equal([1], (await read.PayloadsAsync())[0]);
        await read.BeginAsync();
        await read.CommitAsync([3]);
    }

    [Fact]
    public async Task A_device_that_throws_has_failed_the_write()
    {
        SectorDisk disk = new();
        ThrowingDevice device = new(disk);
        await using WriteAheadLog log = await LogBench.StartAsync(device);
        device.Throws = 2;
        await log.CommitAsync([1]).InTime();
        Assert.Equal(2, log.Statistics.WriteRetries);
    }

    /// <summary>LOG-16: no room is the reservation's error, and goes as it came.</summary>
    [Fact]
    public async Task A_reservation_for_which_the_device_has_no_room_changes_nothing_and_works_once_there_is()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        long length = disk.Length;
        disk.Capacity = length + 10_000;
        List<byte[]> expected = [];
        ulong next = 0;
        IOException error = await Assert.ThrowsAsync<BlockIOException>(async () =>
        {
            while (true)
            {
                next = log.NextLsn;
                await log.CommitAsync(LogBench.Payload(expected.Count, 9000));
                expected.Add(LogBench.Payload(expected.Count, 9000));
            }
        });
        Assert.Contains("no room", error.Message, StringComparison.Ordinal);
        Assert.True(expected.Count >= 5);
        Assert.Equal(next, log.NextLsn);
        Assert.Equal(length, disk.Length);

        await Assert.ThrowsAsync<BlockIOException>(() => log.ReserveAsync(20_000).AsTask());
        disk.Capacity = long.MaxValue;
        await log.CommitAsync(LogBench.Payload(77, 100_000));
        expected.Add(LogBench.Payload(77, 100_000));
        await using WriteAheadLog read = await LogBench.OpenAsync(disk);
        Assert.Equal(expected, await read.PayloadsAsync());
    }

    /// <summary>LOG-16: room comes back by recycling too.</summary>
    [Fact]
    public async Task Recycling_makes_room_on_a_full_device()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        disk.Capacity = disk.Length;
        for (int round = 0; round < 10; round++)
        {
            await Assert.ThrowsAsync<BlockIOException>(async () =>
            {
                while (true)
                {
                    await log.CommitAsync(LogBench.Payload(1, 9000));
                }
            });
            await log.RecycleBelowAsync(log.DurableLsn);
        }

        Assert.Equal(2, log.Statistics.Segments);
        Assert.True(log.DurableLsn > 5 * (ulong)LogOptions.LeastSegmentBytes);
    }

    [Fact]
    public async Task A_log_that_cannot_be_begun_for_want_of_room_can_be_later()
    {
        SectorDisk disk = new();
        LogOptions options = new() { SegmentBytes = 64 << 10, BufferBytes = 64 << 10, MinimumSegments = 1 };
        await using WriteAheadLog log = await LogBench.CreateAsync(disk, options);
        await log.BeginAsync();
        disk.Capacity = disk.Length;
        await Assert.ThrowsAsync<BlockIOException>(async () =>
        {
            while (true)
            {
                await log.CommitAsync([1]);
            }
        });
        await using WriteAheadLog again = await LogBench.OpenAsync(disk, 0, options);
        await Assert.ThrowsAsync<BlockIOException>(() => again.BeginAsync());
        disk.Capacity = long.MaxValue;
        await again.BeginAsync();
        await again.CommitAsync([2]);
    }

    /// <summary>LOG-14: what was appended is refused nothing, but nothing of it is written.</summary>
    [Fact]
    public async Task Appending_what_was_reserved_works_even_if_the_log_fails_in_between()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        ulong first = await log.AppendAsync([1]);
        await log.ReserveAsync(WriteAheadLog.SizeOf(10));
        disk.Fault = request => request.Operation == BlockOperation.Flush ? new IOException("broken") : null;
        await Assert.ThrowsAsync<LogFailedException>(() => log.EnsureDurableAsync(first).InTime());
        ulong lsn = log.Append(1, new byte[10]);
        log.Publish();
        await Assert.ThrowsAsync<LogFailedException>(() => log.EnsureWrittenAsync(lsn).InTime());
    }

    private sealed class ThrowingDevice(SectorDisk disk) : IBlockDevice
    {
        public int Throws { get; set; }

        public string Name => disk.Name;

        public int Alignment => disk.Alignment;

        public long Length => disk.Length;

        public bool IsReadOnly => false;

        public void Submit(BlockRequest request)
        {
            if (request.Operation == BlockOperation.Write && Throws > 0)
            {
                Throws--;
                throw new InvalidOperationException("The device has a mistake.");
            }

            disk.Submit(request);
        }

        public void Execute(BlockRequest request) => Submit(request);

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => disk.SetLengthAsync(length, cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
