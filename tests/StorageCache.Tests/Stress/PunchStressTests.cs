using System.Runtime.InteropServices;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>
/// Readers and writers of a file that is punched again and again, flushed, and larger than the cache. Each page says what was last
/// written to it, all over; a model says what it may say.
/// </summary>
public sealed class PunchStressTests
{
    private const int Pages = 300;
    private const int PageSize = 4096;

    private readonly Entry[] _entries = [.. Enumerable.Range(0, Pages).Select(_ => new Entry())];
    private long _values;
    private volatile bool _stop;

    [Theory]
    [InlineData("memory")]
    [InlineData("slow")]
    [InlineData("not to be punched")]
    [InlineData("file")]
    public async Task A_page_is_what_was_written_last_or_zeros_if_it_was_punched_since(string kind)
    {
        using ScratchDirectory? directory = kind == "file" ? new ScratchDirectory() : null;
        await using var cache = new PageCache(new PageCacheOptions
        {
            PageSize = PageSize,
            MemoryLimit = CacheCore.LeastMemory(PageSize),
            WriteBackInterval = TimeSpan.FromMilliseconds(2),
            IoThreads = 2,
        });
        Mapping mapping = kind switch
        {
            "file" => await cache.OpenAsync(directory!.File("file")),
            "slow" => await cache.OpenAsync(new UnreliableDevice(1, failures: 0)),
            "memory" => await cache.OpenAsync(new MemoryBlockDevice("memory")),
            _ => await cache.OpenAsync(new UnpunchableDevice(new MemoryBlockDevice("memory"))),
        };
        await mapping.ExtendAsync(Pages * PageSize);
        Task[] workers =
        [
            .. Enumerable.Range(0, 2).Select(i => Task.Factory.StartNew(() => Work(mapping, i), TaskCreationOptions.LongRunning)),
            Task.Run(() => WorkAsync(mapping)),
            Task.Run(() => FlushAsync(mapping)),
        ];
        Task all = Task.WhenAll(workers);
        var random = new Random(StressTime.Seed);
        DateTime end = DateTime.UtcNow + StressTime.Of(1);
        for (long number = 1; DateTime.UtcNow < end && !all.IsCompleted; number++)
        {
            await PunchAsync(mapping, random, number);
        }

        _stop = true;
        await all;
        await Quiet.CheckAsync(cache, "at the end");
        await mapping.FlushAsync();
        await mapping.CloseAsync();
        await Quiet.CheckAsync(cache, "after the close");
        if (directory is not null)
        {
            byte[] bytes = await File.ReadAllBytesAsync(directory.File("file"));
            for (int page = 0; page < Pages; page++)
            {
                Check(page, bytes.AsSpan(page * PageSize, PageSize));
            }
        }
    }

    private async Task PunchAsync(Mapping mapping, Random random, long number)
    {
        int first = random.Next(Pages);
        int count = random.Next(1, random.Next(2) == 0 ? 10 : Pages);
        Entry[] range = _entries[first..Math.Min(first + count, Pages)];
        Array.ForEach(range, entry => Volatile.Write(ref entry.Begun, number));
        bool isCancelled = false;
        using (CancellationTokenSource source = new())
        {
            ValueTask punch = mapping.PunchAsync(first, count, source.Token);
            if (random.Next(4) == 0)
            {
                await source.CancelAsync();
            }

            try
            {
                await punch;
            }
            catch (OperationCanceledException)
            {
                isCancelled = true;
            }
        }

        foreach (Entry entry in range)
        {
            Volatile.Write(ref entry.Ended, number);
            if (!isCancelled)
            {
                Volatile.Write(ref entry.Done, number);
            }
        }
    }

    private void Work(Mapping mapping, int seed)
    {
        var random = new Random(StressTime.Seed + seed);
        PagePin pin = default;
        while (!_stop)
        {
            int page = random.Next(Pages);
            switch (random.Next(8))
            {
                case 0:
                    using (PageWriteLease lease = mapping.WriteNew(page))
                    {
                        Assert.Equal(-1, lease.Span.IndexOfAnyExcept((byte)0));
                        Write(page, lease);
                    }

                    break;
                case 1:
                    pin.Dispose();
                    pin = mapping.Pin(page);
                    break;
                case 2 when pin.IsHeld:
                    using (PageWriteLease lease = pin.Write())
                    {
                        Check((int)pin.Page, lease.Span);
                        Write((int)pin.Page, lease);
                    }

                    break;
                case 3:
                    mapping.Prefetch(page, 20);
                    break;
                case 4:
                    mapping.DontNeed(page, 20);
                    break;
                case < 7:
                    using (PageReadLease lease = mapping.Read(page))
                    {
                        Check(page, lease.Span);
                    }

                    break;
                default:
                    using (PageWriteLease lease = mapping.Write(page))
                    {
                        Check(page, lease.Span);
                        Write(page, lease);
                    }

                    break;
            }
        }

        pin.Dispose();
    }

    /// <summary>Holds a page while it asks for the next one, as one who goes down a tree does.</summary>
    private async Task WorkAsync(Mapping mapping)
    {
        var random = new Random(StressTime.Seed + 17);
        while (!_stop)
        {
            int page = random.Next(Pages - 1);
            using PageReadLease first = await mapping.ReadAsync(page);
            Check(page, first.Span);
            using PageWriteLease second = await mapping.WriteAsync(page + 1);
            Check(page + 1, second.Span);
            Write(page + 1, second);
        }
    }

    private async Task FlushAsync(Mapping mapping)
    {
        while (!_stop)
        {
            await mapping.FlushAsync();
            await Task.Delay(1);
        }
    }

    /// <summary>The page is latched, so nobody changes what the model knows of it but punches that begin and end.</summary>
    private void Check(int page, ReadOnlySpan<byte> bytes)
    {
        Entry entry = _entries[page];
        long done = Volatile.Read(ref entry.Done);
        ReadOnlySpan<long> words = MemoryMarshal.Cast<byte, long>(bytes);
        Assert.True(words.IndexOfAnyExcept(words[0]) < 0, $"page {page} is torn");
        if (words[0] == 0)
        {
            bool mayBe = Volatile.Read(ref entry.Begun) > entry.EndedBefore || entry.Value == 0;
            Assert.True(mayBe, $"page {page} has lost {entry.Value}");
        }
        else
        {
            Assert.True(words[0] == entry.Value, $"page {page} says {words[0]} instead of {entry.Value}");
            Assert.True(done <= entry.BegunBefore, $"page {page} says {words[0]}, which was punched");
        }
    }

    private void Write(int page, PageWriteLease lease)
    {
        Entry entry = _entries[page];
        entry.EndedBefore = Volatile.Read(ref entry.Ended);
        entry.Value = Interlocked.Increment(ref _values);
        MemoryMarshal.Cast<byte, long>(lease.Span).Fill(entry.Value);
        lease.MarkDirty();
        entry.BegunBefore = Volatile.Read(ref entry.Begun);
    }

    /// <summary>What is known of a page. Punches come one after the other, and have numbers.</summary>
    private sealed class Entry
    {
        /// <summary>The last punch of the page that began.</summary>
        public long Begun;

        /// <summary>The last one that ended, in whatever way.</summary>
        public long Ended;

        /// <summary>The last one that was carried out.</summary>
        public long Done;

        /// <summary>What was written last.</summary>
        public long Value;

        /// <summary>The last punch that had ended before it was written.</summary>
        public long EndedBefore;

        /// <summary>The last punch that had begun when it was written.</summary>
        public long BegunBefore;
    }
}
