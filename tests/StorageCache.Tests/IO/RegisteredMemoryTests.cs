using System.Globalization;
using System.Runtime.InteropServices;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO.Restrictions;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>Caches whose pages' memory is registered with the ring: what is read and written, and what is registered (I/O-22).</summary>
public sealed class RegisteredMemoryTests : IDisposable
{
    private const string LimitVariable = "STORAGECACHE_TEST_MEMLOCK";
    private const int Page = 4096;
    private const long Piece = 2 << 20;

    /// <summary>Made when it is needed, for a restricted process may not make one.</summary>
    private ScratchDirectory? _directory;

    public void Dispose() => _directory?.Dispose();

    [RingTheory]
    [InlineData(1, false, false)]
    [InlineData(128, false, false)]
    [InlineData(128, true, false)]
    [InlineData(128, false, true)]
    public async Task Nothing_is_lost_while_the_cache_shrinks_and_grows(int depth, bool isInline, bool isGuarded)
    {
        const int Pages = 5000;
        const long Large = 12 << 20;
        string path = NewFile();
        long[] versions = new long[Pages];
        await File.WriteAllBytesAsync(path, Enumerable.Range(0, Pages).SelectMany(page => Stamp(page, 0)).ToArray());
        await using (PageCache cache = Open(Large, Large, depth, isInline, isGuarded))
        {
            NeedsRegistered(cache);
            Mapping mapping = await cache.OpenAsync(path);
            using CancellationTokenSource stop = new();
            Task[] workers = [.. Enumerable.Range(0, 6).Select(i => Task.Run(() => WorkAsync(mapping, versions, new Random(i), stop.Token)))];
            Task all = Task.WhenAll(workers);
            for (int round = 0; round < 6 && !all.IsCompleted; round++)
            {
                Wait.Until(() => cache.GetStatistics().RegisteredBytes >= Piece || all.IsFaulted, "memory to be registered");
                await cache.ResizeAsync(4 << 20);
                Assert.InRange(cache.GetStatistics().RegisteredBytes, 0, 4 << 20);
                await cache.ResizeAsync(Large);
            }

            await stop.CancelAsync();
            await all;
            for (int page = 0; page < Pages; page++)
            {
                using PageReadLease lease = await mapping.ReadAsync(page);
                Check(lease.Span, page, versions[page]);
            }

            await mapping.FlushAsync();
            await Quiet.CheckAsync(cache, "at the end");
        }

        byte[] bytes = await File.ReadAllBytesAsync(path);
        for (int page = 0; page < Pages; page++)
        {
            Check(bytes.AsSpan(page * Page, Page), page, versions[page]);
        }
    }

    [RingFact]
    public async Task Page_tables_that_need_room_take_it_from_what_is_registered()
    {
        const int Dense = 4000;
        const int Sparse = 200;
        await using PageCache cache = Open(10 << 20, 10 << 20, depth: 16, isInline: false);
        NeedsRegistered(cache);
        Mapping mapping = await cache.OpenAsync(NewFile(), new MappingOptions { AccessPattern = AccessPattern.Random });
        await mapping.ExtendAsync((Dense + (Sparse * (long)PageTable.SlotsPerLeaf)) * Page);
        for (int page = 0; page < Dense; page++)
        {
            await WriteAsync(mapping, page, 1);
        }

        Wait.Until(() => cache.GetStatistics().RegisteredBytes >= 3 * Piece, "memory to be registered");
        int frames = cache.Core.Frames.Active;
        using (PinList pins = new())
        {
            for (int i = 0; i < Sparse; i++)
            {
                long page = Dense + (i * (long)PageTable.SlotsPerLeaf);
                await WriteAsync(mapping, page, 1);
                pins.Add(mapping.Pin(page));
            }

            Assert.InRange(cache.Core.Frames.Active, 0, frames - 100);
            Assert.InRange(cache.GetStatistics().RegisteredBytes, 0, cache.Core.Frames.Active * (long)Page);
            for (int page = 0; page < Dense; page++)
            {
                using PageReadLease lease = await mapping.ReadAsync(page);
                Check(lease.Span, page, 1);
            }
        }

        for (int i = 0; i < Sparse; i++)
        {
            long page = Dense + (i * (long)PageTable.SlotsPerLeaf);
            using PageReadLease lease = await mapping.ReadAsync(page);
            Check(lease.Span, page, 1);
        }

        await mapping.CloseAsync();
    }

    [RingFact]
    public async Task When_the_cache_has_ended_nothing_is_registered()
    {
        PageCache cache = Open(8 << 20, 8 << 20, depth: 16, isInline: false);
        await FillAsync(cache);
        await cache.DisposeAsync();
        Assert.Equal(0, cache.GetStatistics().RegisteredBytes);
    }

    /// <summary>There is room for the ring, and for a piece or two.</summary>
    [RingFact]
    public Task Less_memory_may_be_locked_than_there_is() => new RestrictedProcess()
        .LockAtMost(5 << 20)
        .With(LimitVariable, (5 << 20).ToString(CultureInfo.InvariantCulture))
        .RunAsync(typeof(RegisteredMemoryTests), nameof(What_the_kernel_refuses_to_register_the_cache_does_without));

    [RingFact]
    public async Task What_the_kernel_refuses_to_register_the_cache_does_without()
    {
        string? limit = Environment.GetEnvironmentVariable(LimitVariable);
        await using PageCache cache = Open(16 << 20, 16 << 20, depth: 16, isInline: false);
        NeedsRegistered(cache);
        await FillAsync(cache);
        PageCacheStatistics statistics = cache.GetStatistics();
        if (limit is not null)
        {
            Assert.True(statistics.IsRegistrationRefused);
            Assert.InRange(statistics.RegisteredBytes, Piece - Page, long.Parse(limit, CultureInfo.InvariantCulture));
            Assert.Null(cache.Capabilities.NoRegisteredMemory);
        }

        // Through the ring, into memory that is registered and memory that is not.
        string path = typeof(RegisteredMemoryTests).Assembly.Location;
        byte[] bytes = await File.ReadAllBytesAsync(path);
        Mapping mapping = await cache.OpenAsync(path, new MappingOptions { ReadOnly = true, Exclusive = false, Mode = MappingMode.Open });
        for (int page = 0; page < bytes.Length / Page; page++)
        {
            using PageReadLease lease = await mapping.ReadAsync(page);
            Assert.True(lease.Span.SequenceEqual(bytes.AsSpan(page * Page, Page)));
        }

        await mapping.CloseAsync();
    }

    private string NewFile() => (_directory = new ScratchDirectory()).File("pages");

    private static PageCache Open(long memory, long most, int depth, bool isInline, bool isGuarded = false) => new(new PageCacheOptions
    {
        MemoryLimit = memory,
        MaximumMemoryLimit = most,
        IoEngine = IoEngine.IoUring,
        IoQueueDepth = depth,
        AllowSynchronousContinuations = isInline,
        RegisterMemory = true,
        Guarded = isGuarded,
        WriteBackInterval = TimeSpan.FromMilliseconds(20),
    });

    private static void NeedsRegistered(PageCache cache) =>
        Assert.SkipWhen(cache.Capabilities.NoRegisteredMemory is not null, cache.Capabilities.NoRegisteredMemory ?? "");

    /// <summary>Uses every frame once, and waits until what can be registered is.</summary>
    private static async Task FillAsync(PageCache cache)
    {
        const int Pages = 6000;
        Mapping mapping = await cache.OpenAsync(new MemoryBlockDevice("memory", Pages * (long)Page));
        for (int page = 0; page < Pages; page++)
        {
            (await mapping.ReadAsync(page)).Dispose();
        }

        await mapping.CloseAsync();
        Wait.Until(
            () => cache.GetStatistics() is { IsRegistrationRefused: true } or { RegisteredBytes: >= (3 * Piece) - Page },
            "memory to be registered");
    }

    private static async Task WorkAsync(Mapping mapping, long[] versions, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            int page = random.Next(versions.Length);
            if (random.Next(4) != 0)
            {
                using PageReadLease lease = await mapping.ReadAsync(page, CancellationToken.None);
                Check(lease.Span, page, Volatile.Read(ref versions[page]));
            }
            else
            {
                using PageWriteLease lease = await mapping.WriteAsync(page, CancellationToken.None);
                Check(lease.Span, page, versions[page]);
                Stamp(page, ++versions[page]).CopyTo(lease.Span);
                lease.MarkDirty();
            }
        }
    }

    private static async Task WriteAsync(Mapping mapping, long page, long version)
    {
        using PageWriteLease lease = await mapping.WriteAsync(page);
        Stamp(page, version).CopyTo(lease.Span);
        lease.MarkDirty();
    }

    private static byte[] Stamp(long page, long version)
    {
        long[] words = new long[Page / sizeof(long)];
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = i % 2 == 0 ? page : version;
        }

        return MemoryMarshal.AsBytes(words.AsSpan()).ToArray();
    }

    private static void Check(ReadOnlySpan<byte> bytes, long page, long version) =>
        Assert.True(bytes.SequenceEqual(Stamp(page, version)), $"page {page} is not what was written to it");
}
