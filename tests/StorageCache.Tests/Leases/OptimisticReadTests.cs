using System.Runtime.CompilerServices;
using StorageCache.Buffers;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

public class OptimisticReadTests
{
    /// <remarks>B-2.</remarks>
    [Fact]
    public async Task Validation_fails_during_and_after_a_write()
    {
        await using TestCache test = await TestCache.OpenAsync();
        OptimisticRead read = test.Mapping.ReadOptimistic(1);
        Assert.True(read.Validate());
        PageWriteLease write = test.Mapping.Write(1);
        Assert.False(read.Validate());
        write.Dispose();
        Assert.False(read.Validate());
        Assert.True(test.Mapping.ReadOptimistic(1).Validate());
    }

    [Fact]
    public async Task Readers_pins_and_flushes_do_not_invalidate()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(1, 1);
        OptimisticRead read = test.Mapping.ReadOptimistic(1);
        test.Mapping.Read(1).Dispose();
        test.Mapping.Pin(1).Dispose();
        await test.Mapping.FlushAsync().InTime();
        Assert.True(read.Validate());
        Assert.Equal(1, read.Span[4095]);
    }

    [Fact]
    public async Task Validation_fails_after_eviction_also_when_the_page_is_back()
    {
        await using TestCache test = await TestCache.OpenAsync();
        OptimisticRead read = test.Mapping.ReadOptimistic(1);
        test.Evict(1);
        Assert.False(read.Validate());
        _ = read.Span[0];
        test.Mapping.Read(1).Dispose();
        Assert.False(read.Validate());
    }

    /// <remarks>PT-2: the versions of a slot never repeat across the lives of its leaf.</remarks>
    [Fact]
    public async Task Validation_fails_after_truncation_and_the_reclaim_of_the_leaf()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 600);
        OptimisticRead read = test.Mapping.ReadOptimistic(590);
        await test.Mapping.TruncateAsync(4096).InTime();
        Assert.False(read.Validate());
        for (int i = 0; i < 5; i++)
        {
            while (test.Cache.Core.TryReclaimLeaf())
            {
            }

            Assert.False(read.Validate());
            _ = read.Span[0];
            Assert.False(read.TryUpgrade(out PageReadLease _));
            await test.Mapping.ExtendAsync(600 * 4096);
            test.Mapping.Read(590).Dispose();
            Assert.False(read.Validate());
            Assert.False(read.TryUpgrade(out PageWriteLease _));
            await test.Mapping.TruncateAsync(4096).InTime();
        }
    }

    [Fact]
    public async Task Validation_fails_after_the_mapping_is_closed()
    {
        ScriptedDevice device = new(64);
        await using TestCache test = await TestCache.OpenAsync();
        Mapping other = await test.Cache.OpenAsync(device);
        OptimisticRead read = other.ReadOptimistic(1);
        await other.CloseAsync().InTime();
        Assert.False(read.Validate());
        _ = read.Span[0];
    }

    [Fact]
    public async Task An_upgrade_succeeds_only_on_an_unchanged_and_free_page()
    {
        await using TestCache test = await TestCache.OpenAsync();
        OptimisticRead read = test.Mapping.ReadOptimistic(1);
        Assert.True(read.TryUpgrade(out PageReadLease shared));
        Assert.False(read.TryUpgrade(out PageWriteLease _));
        Assert.True(read.TryUpgrade(out PageReadLease second));
        second.Dispose();
        shared.Dispose();
        Assert.True(read.TryUpgrade(out PageWriteLease write));
        Assert.False(read.TryUpgrade(out PageReadLease _));
        write.Dispose();
        Assert.False(read.TryUpgrade(out PageReadLease _));
        Assert.False(read.TryUpgrade(out PageWriteLease _));

        read = test.Mapping.ReadOptimistic(1);
        test.Evict(1);
        Assert.False(read.TryUpgrade(out PageWriteLease _));
        test.Mapping.Read(1).Dispose();
        Assert.False(read.TryUpgrade(out PageReadLease _));
    }

    /// <summary>
    /// An optimistic upgrade (or a look-up) whose leaf was reclaimed and given to another mapping latches that mapping's
    /// page for a moment. A writer who comes just then waits in the other mapping, and must be woken there (W-1).
    /// </summary>
    [Fact]
    public async Task A_release_through_the_wrong_mapping_wakes_who_waits_in_the_right_one()
    {
        await using TestCache test = await TestCache.OpenAsync();
        ScriptedDevice device = new(64);
        Mapping other = await test.Cache.OpenAsync(device);
        other.Read(5).Dispose();
        LatchShared(other, 5);
        Task<PageWriteLease> writer = other.WriteAsync(5).AsTask();
        Assert.False(writer.IsCompleted);

        Release(test.Mapping, other, 5);

        (await writer.InTime()).Dispose();

        static unsafe void LatchShared(Mapping mapping, long page) => Assert.True(StateWord.TryLockShared(mapping.Table.Find(page)));
        static unsafe void Release(Mapping through, Mapping of, long page) => through.ReleaseShared(of.Table.Find(page));
    }

    /// <summary>A torn page is never validated: the writer keeps all bytes the same, the reader checks that they are (B-2).</summary>
    [Fact]
    public async Task What_is_validated_is_what_the_page_held_at_one_moment()
    {
        await using TestCache test = await TestCache.OpenAsync();
        bool stop = false;
        Thread writer = new(() =>
        {
            byte value = 0;
            while (!Volatile.Read(ref stop))
            {
                using PageWriteLease lease = test.Mapping.Write(1);
                lease.Span.Fill(++value);
                lease.MarkDirty();
            }
        });
        writer.Start();
        int valid = 0;
        for (int i = 0; i < 20_000 && valid < 2000; i++)
        {
            OptimisticRead read = test.Mapping.ReadOptimistic(1);
            bool whole = read.Span.IndexOfAnyExcept(read.Span[0]) < 0;
            if (read.Validate())
            {
                valid++;
                Assert.True(whole, $"round {i}");
            }
        }

        Volatile.Write(ref stop, true);
        writer.Join();
        Assert.True(valid > 0);
    }

    /// <remarks>B-3. Without optimisation locals live to the end of their method, and nothing can go wrong.</remarks>
    [Fact]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void A_read_keeps_the_memory_mapped_until_it_has_been_validated()
    {
        Mapping opened = Open();
        opened.Read(0).Dispose();
        OptimisticRead read = opened.ReadOptimistic(0);
        byte first = read.Span[0];
        WeakReference mapping = DisposeOfCache(opened);
        for (int i = 0; i < 5; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        // Were it gone, the look itself would end the process.
        Assert.True(mapping.IsAlive);
        Assert.False(read.Validate());
        Assert.Equal(0, first);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Mapping Open()
    {
        PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest });
        return cache.OpenAsync(new MemoryBlockDevice("memory", 4096)).AsTask().GetAwaiter().GetResult();
    }

    /// <summary>Disposes of a mapping's cache, after which only the caller's leases refer to either.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference DisposeOfCache(Mapping mapping)
    {
        mapping.Cache.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return new WeakReference(mapping);
    }
}
