using StorageCache.IO;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>
/// Threads and tasks on files whose pages are equal again and again by accident: each page says one of few values, all over, and a model
/// says which. The scan goes as fast as it can; pages are held, evicted, cut away and written meanwhile.
/// </summary>
/// <remarks>SH-5, SH-7, SH-8, P-3, P-5, P-7.</remarks>
public sealed class SharingStressTests
{
    private const int Files = 4;
    private const int Pages = 120;
    private const int PageSize = 4096;

    /// <summary>Values that pages have; the first is that of a page that was never written, or was cut away.</summary>
    private const int Values = 4;

    /// <summary>The file that is cut: what its pages hold is known only to be one of the values.</summary>
    private const int CutFile = Files - 1;

    private readonly Entry[,] _entries = new Entry[Files, Pages];
    private readonly Mapping[] _mappings = new Mapping[Files];
    private volatile bool _stop;

    [Theory]
    [InlineData(64, false, false)]
    [InlineData(100, true, false)]
    [InlineData(100, false, true)]
    [InlineData(700, true, false)]
    public async Task Pages_that_become_equal_and_unequal_keep_their_own_bytes(int frames, bool isGuarded, bool isHardened)
    {
        for (int round = 0; round < (StressTime.Minutes is null ? 1 : 20); round++)
        {
            await RunAsync(StressTime.Seed + round, frames, isGuarded, isHardened);
        }
    }

    private async Task RunAsync(int seed, int frames, bool isGuarded, bool isHardened)
    {
        _stop = false;
        await using PageCache cache = new(new PageCacheOptions
        {
            PageSize = PageSize,
            MemoryLimit = CacheCore.LeastMemory(PageSize) + (Math.Max(0, frames - 64) * (PageSize + 256L)),
            WriteBackInterval = TimeSpan.FromMilliseconds(2),
            ScanPagesPerSecond = 10_000_000,
            ScanCpuShare = 1,
            Guarded = isGuarded,
        });
        SharingDomain domain = new("stress") { SharesContent = true, IsHardened = isHardened };
        MemoryBlockDevice[] devices = new MemoryBlockDevice[Files];
        for (int file = 0; file < Files; file++)
        {
            UnreliableDevice? slow = file == 1 ? new UnreliableDevice(seed, failures: 0) : null;
            devices[file] = slow?.Inner ?? new MemoryBlockDevice($"device {file}");
            _mappings[file] = await cache.OpenAsync(slow is null ? devices[file] : slow, new MappingOptions { SharingDomain = domain });
            await _mappings[file].ExtendAsync(Pages * PageSize);
            for (int page = 0; page < Pages; page++)
            {
                _entries[file, page] = new Entry();
            }
        }

        Task[] workers =
        [
            .. Enumerable.Range(0, 3).Select(i => Task.Factory.StartNew(() => Work(seed + i), TaskCreationOptions.LongRunning)),
            .. Enumerable.Range(3, 3).Select(i => Task.Run(() => WorkAsync(seed + i))),
            Task.Run(() => FlushAsync(cache, seed)),
        ];
        Task all = Task.WhenAll(workers);
        await Task.WhenAny([.. workers, Task.Delay(StressTime.Of(1) / (StressTime.Minutes is null ? 1 : 20))]);
        _stop = true;
        await all;
        await Quiet.CheckAsync(cache, "at the end");
        Assert.True(cache.Core.Budget.Used <= cache.Core.Budget.Limit);
        for (int file = 0; file < Files; file++)
        {
            for (int page = 0; page < _mappings[file].PageCount; page++)
            {
                using PageReadLease lease = await _mappings[file].ReadAsync(page);
                Check(file, page, lease.Span);
            }

            await _mappings[file].FlushAsync();
            byte[] bytes = new byte[PageSize];
            for (int page = 0; page < _mappings[file].PageCount; page++)
            {
                bytes.AsSpan().Clear();
                devices[file].Read(page * PageSize, bytes);
                Check(file, page, bytes);
            }
        }

        await Quiet.CheckAsync(cache, "after the flush");
        foreach (Mapping mapping in _mappings)
        {
            await mapping.CloseAsync();
        }

        await Quiet.CheckAsync(cache, "after the close");
        Assert.Equal(0, cache.Core.Heads.InUse);
        Assert.Equal(cache.Core.Frames.Active, cache.Core.Frames.FreeCount);
    }

    private void Work(int seed)
    {
        List<(ProtectedPage Held, byte[] Bytes)> held = [];
        PagePin pin = default;
        try
        {
            Work(new Random(seed), held, ref pin);
        }
        finally
        {
            // A cache that is closed waits for pins.
            pin.Dispose();
            held.ForEach(Release);
        }
    }

    private void Work(Random random, List<(ProtectedPage Held, byte[] Bytes)> held, ref PagePin pin)
    {
        int pinFile = 0;
        while (!_stop)
        {
            int file = random.Next(Files);
            int page = random.Next(random.Next(2) == 0 ? 20 : Pages);
            Mapping mapping = _mappings[file];
            try
            {
                switch (random.Next(12))
                {
                    case 0:
                        using (PageWriteLease lease = mapping.WriteNew(page))
                        {
                            Write(file, page, lease, random.Next(Values));
                        }

                        break;
                    case 1 when mapping.TryWrite(page, out PageWriteLease lease):
                        using (lease)
                        {
                            Check(file, page, lease.Span);
                            Write(file, page, lease, random.Next(Values));
                        }

                        break;
                    case 2:
                        Hold(mapping, page, held, random);
                        break;
                    case 3:
                        mapping.DontNeed(page, 10);
                        break;
                    case 4:
                        ReadOptimistically(file, page, random);
                        break;
                    case 5:
                        pin.Dispose();
                        pin = mapping.Pin(page);
                        pinFile = file;
                        break;
                    case 6 when pin.IsHeld && pin.TryRead(out PageReadLease pinned):
                        using (pinned)
                        {
                            Check(pinFile, (int)pin.Page, pinned.Span);
                        }

                        break;
                    case 7:
                        mapping.Prefetch(page, 20);
                        break;
                    case 8 or 9:
                        using (PageWriteLease lease = mapping.Write(page))
                        {
                            Check(file, page, lease.Span);
                            if (random.Next(4) != 0)
                            {
                                Write(file, page, lease, random.Next(Values));
                            }
                        }

                        break;
                    default:
                        using (PageReadLease lease = mapping.Read(page))
                        {
                            Check(file, page, lease.Span);
                        }

                        break;
                }
            }
            catch (PageTruncatedException) when (file == CutFile || pinFile == CutFile)
            {
            }
        }
    }

    private async Task WorkAsync(int seed)
    {
        Random random = new(seed);
        while (!_stop)
        {
            int file = random.Next(Files);
            int page = random.Next(Pages);
            try
            {
                using PageReadLease first = await _mappings[file].ReadAsync(page);
                Check(file, page, first.Span);
                if (page + 1 < Pages && random.Next(2) == 0)
                {
                    using PageWriteLease second = await _mappings[file].WriteAsync(page + 1);
                    Check(file, page + 1, second.Span);
                    Write(file, page + 1, second, random.Next(Values));
                }
            }
            catch (PageTruncatedException) when (file == CutFile)
            {
            }
        }
    }

    private async Task FlushAsync(PageCache cache, int seed)
    {
        Random random = new(seed);
        while (!_stop)
        {
            switch (random.Next(4))
            {
                case 0:
                    await _mappings[CutFile].TruncateAsync(random.Next(Pages * PageSize));
                    await _mappings[CutFile].ExtendAsync(Pages * PageSize);
                    break;
                case 1:
                    cache.Core.Reclaimer.Evict(random.Next(100));
                    break;
                default:
                    await _mappings[random.Next(Files)].FlushAsync();
                    break;
            }

            await Task.Delay(1);
        }
    }

    private void Hold(Mapping mapping, int page, List<(ProtectedPage Held, byte[] Bytes)> held, Random random)
    {
        if (held.Count == 3)
        {
            int index = random.Next(held.Count);
            Release(held[index]);
            held.RemoveAt(index);
            return;
        }

        if (mapping.TryProtect(page, (ProtectionReason)random.Next(1, 4), out ProtectedPage? one, out _))
        {
            held.Add((one!, one!.Span.ToArray()));
            bool isWhole = one.Span.IndexOfAnyExcept(one.Span[0]) < 0;
            Assert.True(isWhole || mapping == _mappings[CutFile], $"page {page} is held torn");
        }
    }

    private static void Release((ProtectedPage Held, byte[] Bytes) held)
    {
        Assert.True(held.Held.Span.SequenceEqual(held.Bytes), "what is held stands still (P-4)");
        held.Held.Dispose();
    }

    private void ReadOptimistically(int file, int page, Random random)
    {
        OptimisticRead read = _mappings[file].ReadOptimistic(page);
        if (random.Next(3) == 0)
        {
            if (read.TryUpgrade(out PageWriteLease lease))
            {
                using (lease)
                {
                    Check(file, page, lease.Span);
                    Write(file, page, lease, random.Next(Values));
                }
            }

            return;
        }

        byte[] copy = read.Span.ToArray();
        if (read.Validate())
        {
            Assert.True(copy.AsSpan().IndexOfAnyExcept(copy[0]) < 0 || file == CutFile, $"page {page} of file {file} is torn");
            Assert.InRange(copy[0], 0, Values - 1);
        }
    }

    /// <summary>The page is latched: nobody changes what the model knows of it but cuts.</summary>
    private void Check(int file, int page, ReadOnlySpan<byte> bytes)
    {
        if (file == CutFile)
        {
            // A cut within the page clears the rest of it.
            int same = bytes.IndexOfAnyExcept(bytes[0]);
            Assert.True(same < 0 || !bytes[same..].ContainsAnyExcept((byte)0), $"page {page} of the file that is cut is torn");
            Assert.InRange(bytes[0], 0, Values - 1);
            return;
        }

        Assert.True(bytes.IndexOfAnyExcept(bytes[0]) < 0, $"page {page} of file {file} is torn");
        Assert.True(bytes[0] == _entries[file, page].Value, $"page {page} of file {file} says {bytes[0]} instead of {_entries[file, page].Value}");
    }

    private void Write(int file, int page, PageWriteLease lease, int value)
    {
        lease.Span.Fill((byte)value);
        _entries[file, page].Value = (byte)value;
        lease.MarkDirty();
    }

    /// <summary>What is known of a page: changed under its exclusive latch.</summary>
    private sealed class Entry
    {
        public byte Value;
    }
}
