using StorageCache.KeyValueStore.Logging;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class LogMemoryTests
{
    /// <summary>LOG-15: the buffer is the bound; a reservation waits for it, and is what gets it written.</summary>
    [Fact]
    public async Task A_reservation_waits_while_the_buffer_is_full_of_what_is_not_written()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        disk.Hold();
        List<byte[]> expected = [];
        Task<ulong> append;
        do
        {
            byte[] payload = LogBench.Payload(expected.Count, 8000);
            expected.Add(payload);
            append = log.AppendAsync(payload);
        }
        while (append.IsCompleted);
        Assert.InRange(expected.Count, 5, 8);
        Wait.Until(() => disk.HeldCount == 1, "the write");
        Assert.False(append.IsCompleted);
        disk.Release();
        await log.EnsureDurableAsync(await append.InTime()).InTime();
        await using WriteAheadLog read = await LogBench.OpenAsync(disk);
        Assert.Equal(expected, await read.PayloadsAsync());
    }

    [Fact]
    public async Task A_reservation_that_waits_can_be_cancelled_and_changes_nothing()
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        disk.Hold();
        ulong lsn = await log.AppendAsync(new byte[30_000]);
        using CancellationTokenSource cancel = new();
        Task waits = log.ReserveAsync(40_000, cancel.Token).AsTask();
        Assert.False(waits.IsCompleted);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits.InTime());
        Assert.Throws<InvalidOperationException>(() => log.Append(1, []));
        disk.Release();
        await log.EnsureDurableAsync(lsn).InTime();
        await log.CommitAsync(new byte[40_000]).InTime();
    }

    /// <summary>LOG-15: many times the buffer, across segments; and small ones afterwards.</summary>
    [Theory]
    [InlineData(1 << 20)]
    [InlineData(20 << 20)]
    public async Task A_large_reservation_gets_a_buffer_of_its_own(int length)
    {
        SectorDisk disk = new();
        await using WriteAheadLog log = await LogBench.StartAsync(disk);
        List<byte[]> expected = [];
        for (int round = 0; round < 2; round++)
        {
            foreach (int size in (int[])[10, length, 20])
            {
                expected.Add(LogBench.Payload(size, size));
                await log.AppendAsync(expected[^1]).InTime();
            }
        }

        await log.EnsureDurableAsync(log.NextLsn).InTime();
        await using WriteAheadLog read = await LogBench.OpenAsync(disk);
        Assert.Equal(expected, await read.PayloadsAsync());
    }

    /// <summary>LOG-15: whatever mixture of groups and seals, the reservation was enough.</summary>
    [Fact]
    public async Task A_reservation_is_enough_whatever_is_sealed_in_between()
    {
        Random random = new(5);
        for (int round = 0; round < 50; round++)
        {
            SectorDisk disk = new();
            LogOptions options = new() { SegmentBytes = 64 << 10, BufferBytes = 64 << 10, BlockBytes = random.Next(2) == 0 ? 512 : 4096, MinimumSegments = 1 };
            await using WriteAheadLog log = await LogBench.StartAsync(disk, options);
            int count = 0;
            for (int group = 0; group < 60; group++)
            {
                int[] sizes = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(12_000))];
                await log.ReserveAsync(sizes.Sum(size => WriteAheadLog.SizeOf(size)));

                // What was appended before is sealed between the reservation and its first record.
                if (random.Next(2) == 0)
                {
                    await log.EnsureWrittenAsync(log.NextLsn);
                }

                foreach (int size in sizes)
                {
                    log.Append(3, new byte[size]);
                    count++;
                }

                log.Publish();
                if (random.Next(6) == 0)
                {
                    await log.EnsureDurableAsync(log.NextLsn);
                }
            }

            await log.EnsureDurableAsync(log.NextLsn);
            await using WriteAheadLog read = await LogBench.OpenAsync(disk);
            Assert.Equal(count, (await read.PayloadsAsync()).Count);
        }
    }
}
