using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>
/// Many who change pages of a file that is larger than its cache, with a log that lags behind and fails now and then: flushes, checkpoints,
/// cuts, holes and copies at the same time.
/// </summary>
/// <remarks>WB-16, WB-17, WB-18.</remarks>
public sealed class WriteAheadStressTests
{
    private const int PageSize = 4096;

    /// <summary>Pages that are neither cut off nor punched.</summary>
    private const int Kept = 160;

    private const int Pages = 224;

    /// <summary>For each page the numbers that it was marked with, in their order.</summary>
    private readonly List<ulong>[] _marks = [.. Enumerable.Range(0, Pages).Select(_ => new List<ulong>())];

    private volatile bool _stop;

    [Fact]
    public async Task No_page_comes_before_its_log_and_no_change_is_left_out_of_what_recovery_needs()
    {
        int seed = StressTime.Seed;
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}");
        Random random = new(seed);
        using ScratchDirectory directory = new();
        using LaggingLog log = new(seed);
        await using DurableDisk disk = new(Pages, log, seed + 1);
        await using PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = CacheCore.LeastMemory(PageSize) * random.Next(1, 3),
            WriteBackInterval = TimeSpan.FromMilliseconds(random.Next(1, 10)),
            DirtyBackgroundRatio = 0.1 + (0.7 * random.NextDouble()),
            DirtyLimitRatio = 0.9,
            AllowSynchronousContinuations = random.Next(2) == 0,
            IoThreads = 2,
        });
        Mapping mapping = await cache.OpenAsync(disk, new MappingOptions { Log = log, AccessPattern = AccessPattern.Random });
        Task[] workers =
        [
            .. Enumerable.Range(0, 3).Select(i => Start(() => Write(mapping, log, new Random(seed + 10 + i)))),
            Start(() => Look(mapping, disk)),
            Task.Run(() => MakeDurableAsync(mapping, disk, new Random(seed + 20))),
            Task.Run(() => CutAsync(mapping, new Random(seed + 30))),
            Task.Run(() => CopyAsync(mapping, log, directory)),
        ];
        Task all = Task.WhenAll(workers);
        await Task.WhenAny(all, Task.Delay(StressTime.Of(1.5)));
        _stop = true;
        await all;

        log.IsGood = true;
        disk.IsGood = true;

        // A write that had begun may fail yet; of this one, at most.
        await mapping.CheckpointAsync().InTime().ContinueWith(static _ => { }, TaskScheduler.Default);
        await mapping.FlushAsync().InTime();
        Assert.Null(mapping.GetDirtyPages().OldestLsn);
        for (int page = 0; page < Kept; page++)
        {
            Assert.Equal(_marks[page].LastOrDefault(), disk.DurableOf(page));
        }

        await Quiet.CheckAsync(cache, "at the end");
        Assert.Empty(disk.Early);
        Assert.Null(log.Complaint);
        await mapping.CloseAsync().InTime();
    }

    private static Task Start(Action work) => Task.Factory.StartNew(work, TaskCreationOptions.LongRunning);

    private void Write(Mapping mapping, LaggingLog log, Random random)
    {
        while (!_stop)
        {
            // Some pages are hot, so that a flush finds them with ever newer numbers.
            int page = random.Next(4) == 0 ? random.Next(8) : random.Next(Pages);
            try
            {
                if (random.Next(4) == 0)
                {
                    mapping.Read(page).Dispose();
                    continue;
                }

                using PageWriteLease lease = page >= Kept && random.Next(2) == 0 ? mapping.WriteNew(page) : mapping.Write(page);
                for (int changes = random.Next(1, 3); changes > 0; changes--)
                {
                    ulong lsn = log.Append();
                    LoggedPages.Change(lease, lsn);
                    lock (_marks[page])
                    {
                        _marks[page].Add(lsn);
                    }
                }
            }
            catch (PageTruncatedException)
            {
                Assert.True(page >= Kept);
            }
        }
    }

    /// <summary>Looks which changes recovery needs, and whether it is told of all that were made before.</summary>
    private void Look(Mapping mapping, DurableDisk disk)
    {
        while (!_stop)
        {
            int[] before = CountMarks();
            ulong? oldest = mapping.GetDirtyPages().OldestLsn;
            CheckOldest(before, oldest, disk);
            Thread.Yield();
        }
    }

    private async Task MakeDurableAsync(Mapping mapping, DurableDisk disk, Random random)
    {
        while (!_stop)
        {
            try
            {
                if (random.Next(2) == 0)
                {
                    await mapping.FlushAsync();
                }
                else
                {
                    int[] before = CountMarks();
                    CheckpointResult result = await mapping.CheckpointAsync(new CheckpointOptions { Duration = TimeSpan.FromMilliseconds(random.Next(20)) });
                    CheckOldest(before, result.OldestLsn, disk);
                }
            }
            catch (PageWriteException)
            {
                // A write or the log has failed; nothing is lost.
            }

            await Task.Delay(random.Next(3));
        }
    }

    private async Task CutAsync(Mapping mapping, Random random)
    {
        while (!_stop)
        {
            if (random.Next(2) == 0)
            {
                await mapping.TruncateAsync(Math.Min(mapping.Length, random.Next(Kept, Pages) * (long)PageSize));
                await mapping.ExtendAsync(Pages * (long)PageSize);
            }
            else
            {
                await mapping.PunchAsync(random.Next(Kept, Pages), random.Next(1, 20));
            }

            await Task.Delay(random.Next(3));
        }
    }

    private async Task CopyAsync(Mapping mapping, LaggingLog log, ScratchDirectory directory)
    {
        for (int number = 0; !_stop; number++)
        {
            string path = directory.File($"copy{number}");
            try
            {
                MappingClone clone = await mapping.CloneAsync(path);
                await clone.Mapping.CloseAsync();
                ulong durable = log.DurableLsn;
                byte[] bytes = await File.ReadAllBytesAsync(path);
                for (int offset = 0; offset < bytes.Length; offset += PageSize)
                {
                    Assert.True(LoggedPages.Read(bytes.AsSpan(offset)) <= durable, $"page {offset / PageSize} of a copy");
                }
            }
            catch (Exception error) when (error is PageCacheException)
            {
                // A write or the log has failed, or a page was cut off before it was copied.
            }

            File.Delete(path);
            await Task.Delay(20);
        }
    }

    private int[] CountMarks() => [.. _marks.Select(marks =>
    {
        lock (marks)
        {
            return marks.Count;
        }
    })];

    private void CheckOldest(int[] before, ulong? oldest, DurableDisk disk)
    {
        for (int page = 0; page < Kept; page++)
        {
            ulong durable = disk.DurableOf(page);
            lock (_marks[page])
            {
                // The first change that the disk does not have for good, if there was one before the look.
                int first = _marks[page].BinarySearch(durable + 1);
                first = first < 0 ? ~first : first;
                Assert.True(first >= before[page] || oldest <= _marks[page][first], $"page {page}: durable is {durable}, and not {_marks[page].ElementAtOrDefault(first)}; the oldest was said to be {oldest}");
            }
        }
    }
}
