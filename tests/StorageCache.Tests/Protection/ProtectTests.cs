using StorageCache.Frames;
using StorageCache.IO;
using StorageCache.Protection;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Protection;

/// <summary>Holding a page's bytes: what it refuses, what it outlives, and whom it tells.</summary>
/// <remarks>P-1, P-2, P-3, P-6.</remarks>
public sealed class ProtectTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_bytes_stand_still_while_writers_go_on(bool isDirty)
    {
        await using TestCache test = await TestCache.OpenAsync();
        if (isDirty)
        {
            test.Fill(3, 1);
        }

        using ProtectedPage held = test.Mapping.Protect(3, ProtectionReason.Snapshot);
        Assert.True(held.IsCurrent);
        Assert.Equal((3L, ProtectionReason.Snapshot, test.Mapping), (held.Page, held.Reason, held.Mapping));
        test.Fill(3, 2);
        Assert.False(held.IsCurrent);
        Assert.Equal(isDirty ? 1 : 0, ByteOf(held));
        Assert.Equal(2, test.ByteOf(3));
        await test.Mapping.FlushAsync();
        Assert.Equal(2, test.Device.Bytes(3)[0]);
        Assert.Equal(isDirty ? 1 : 0, ByteOf(held));
        Assert.Equal(1, test.Cache.GetStatistics().BreaksOf(ProtectionReason.Snapshot));
        Assert.Equal(1, test.Cache.GetStatistics().Breaks);
    }

    [Theory]
    [InlineData(ProtectionReason.Snapshot)]
    [InlineData(ProtectionReason.Replica)]
    [InlineData(ProtectionReason.Lease)]
    public async Task Breaks_are_counted_for_the_reason_that_holds(ProtectionReason reason)
    {
        await using TestCache test = await TestCache.OpenAsync();
        using (await test.Mapping.ProtectAsync(0, reason))
        {
            test.Fill(0, 1);
            test.Fill(0, 2);
        }

        test.Fill(0, 3);
        PageCacheStatistics statistics = test.Cache.GetStatistics();
        Assert.Equal(1, statistics.BreaksOf(reason));
        Assert.Equal(1, statistics.Breaks);
        Assert.Equal(3, test.ByteOf(0));
    }

    [Fact]
    public async Task Of_several_reasons_the_first_counts_and_a_break_happens_once()
    {
        await using TestCache test = await TestCache.OpenAsync();
        using ProtectedPage lease = test.Mapping.Protect(0, ProtectionReason.Lease);
        using ProtectedPage snapshot = test.Mapping.Protect(0, ProtectionReason.Snapshot);
        using ProtectedPage replica = test.Mapping.Protect(0, ProtectionReason.Replica);
        test.Fill(0, 9);
        Assert.Equal(1, test.Cache.GetStatistics().BreaksOf(ProtectionReason.Snapshot));
        Assert.Equal(1, test.Cache.GetStatistics().Breaks);
        Assert.All([lease, snapshot, replica], held => Assert.Equal(0, ByteOf(held)));
    }

    [Fact]
    public async Task A_hold_that_has_ended_costs_the_next_writer_nothing()
    {
        await using TestCache test = await TestCache.OpenAsync();
        ProtectedPage first = test.Mapping.Protect(0, ProtectionReason.Snapshot);
        ProtectedPage second = test.Mapping.Protect(0, ProtectionReason.Replica);
        first.Dispose();
        first.Dispose();
        Assert.False(first.IsCurrent);
        Assert.Throws<ObjectDisposedException>(() => first.Span.Length);
        Assert.True(second.IsCurrent);
        second.Dispose();
        test.Fill(0, 1);
        Assert.Equal(0, test.Cache.GetStatistics().Breaks);
    }

    [Fact]
    public async Task What_cannot_be_held_at_once_is_refused_with_the_reason()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Assert.Equal(ProtectionRefusal.NotResident, Refusal(1000));
        Assert.Equal(ProtectionRefusal.NotResident, Refusal(2));
        using (test.Mapping.Write(2))
        {
            Assert.Equal(ProtectionRefusal.ExclusivelyLatched, Refusal(2));
        }

        test.Device.Hold = call => call.Operation == BlockOperation.Read;
        Task<PageReadLease> load = test.Mapping.ReadAsync(5).AsTask();
        test.Device.WaitForHeld(1);
        Assert.Equal(ProtectionRefusal.NotResident, Refusal(5));
        test.Device.ReleaseAll();
        (await load.InTime()).Dispose();
        PageCacheStatistics statistics = test.Cache.GetStatistics();
        Assert.Equal(3, statistics.RefusalsOf(ProtectionRefusal.NotResident));
        Assert.Equal(1, statistics.RefusalsOf(ProtectionRefusal.ExclusivelyLatched));

        await test.Mapping.CloseAsync();
        Assert.Equal(ProtectionRefusal.Closing, Refusal(2));
        Assert.Throws<MappingClosedException>(() => test.Mapping.Protect(2, ProtectionReason.Lease));

        ProtectionRefusal Refusal(long page)
        {
            Assert.False(test.Mapping.TryProtect(page, ProtectionReason.Lease, out ProtectedPage? held, out ProtectionRefusal refusal));
            Assert.Null(held);
            return refusal;
        }
    }

    [Fact]
    public async Task Only_those_who_are_not_in_the_cache_hold_pages()
    {
        await using TestCache test = await TestCache.OpenAsync();
        foreach (ProtectionReason reason in new[] { ProtectionReason.WriteBack, ProtectionReason.Sharing, (ProtectionReason)77 })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.Protect(0, reason));
            Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.TryProtect(0, reason, out _, out _));
            await Assert.ThrowsAsync<ArgumentOutOfRangeException>(async () => await test.Mapping.ProtectAsync(0, reason));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.TryProtect(-1, ProtectionReason.Lease, out _, out _));
        Assert.Throws<PageTruncatedException>(() => test.Mapping.Protect(1 << 20, ProtectionReason.Lease));
    }

    [Fact]
    public async Task A_page_is_held_while_it_is_written_and_writers_break_away_once()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(7, 1);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        Assert.True(test.Mapping.TryProtect(7, ProtectionReason.Snapshot, out ProtectedPage? held, out ProtectionRefusal refusal));
        Assert.Equal(ProtectionRefusal.None, refusal);
        test.Fill(7, 2);
        test.Fill(7, 3);
        Assert.Equal(1, test.Cache.GetStatistics().BreaksOf(ProtectionReason.WriteBack));
        Assert.Equal(1, test.Cache.GetStatistics().Breaks);
        test.Device.ReleaseAll();
        await flush.InTime();
        Assert.Equal(1, ByteOf(held!));
        held!.Dispose();
        await test.Mapping.FlushAsync();
        Assert.Equal(3, test.Device.Bytes(7)[0]);
    }

    [Fact]
    public async Task No_more_hold_a_frame_for_a_reason_than_can_be_counted()
    {
        await using TestCache test = await TestCache.OpenAsync();
        ProtectedPage[] held = [.. Enumerable.Range(0, ushort.MaxValue).Select(_ => test.Mapping.Protect(0, ProtectionReason.Lease))];
        Assert.False(test.Mapping.TryProtect(0, ProtectionReason.Lease, out _, out ProtectionRefusal refusal));
        Assert.Equal(ProtectionRefusal.NoRoom, refusal);
        Assert.Throws<CacheFullException>(() => test.Mapping.Protect(0, ProtectionReason.Lease));
        test.Mapping.Protect(0, ProtectionReason.Replica).Dispose();
        held[0].Dispose();
        held[0] = test.Mapping.Protect(0, ProtectionReason.Lease);
        test.Fill(0, 1);
        test.Mapping.Protect(0, ProtectionReason.Lease).Dispose();
        Assert.All(held, page => Assert.Equal(0, page.Span[0]));
        Array.ForEach(held, page => page.Dispose());
    }

    [Theory]
    [InlineData("evicted")]
    [InlineData("not needed")]
    [InlineData("truncated")]
    [InlineData("closed")]
    public async Task A_hold_outlives_its_page(string how)
    {
        int calls = 0;
        await using TestCache test = await TestCache.OpenAsync(pages: 200, memory: TestCache.Smallest);
        test.Fill(5, 77);
        await test.Mapping.FlushAsync();
        using ProtectedPage held = test.Mapping.Protect(5, ProtectionReason.Snapshot, _ => Interlocked.Increment(ref calls));
        switch (how)
        {
            case "evicted" or "not needed":
                // Neither takes it: its frame would not come free.
                test.Mapping.DontNeed(5, 1);
                test.Cache.Core.Reclaimer.Evict(int.MaxValue);
                Assert.True(test.IsResident(5));
                Assert.True(held.IsCurrent);
                break;
            case "truncated":
                await test.Mapping.TruncateAsync(0);
                Assert.False(held.IsCurrent);
                await test.Mapping.ExtendAsync(200 * 4096);
                break;
            default:
                await test.Mapping.CloseAsync();
                Assert.False(held.IsCurrent);
                break;
        }

        for (long page = 10; how != "closed" && page < 200; page++)
        {
            test.Fill(page, 3);
        }

        Assert.Equal(77, ByteOf(held));
        Assert.Equal(0, calls);
        held.Dispose();
    }

    [Fact]
    public async Task A_hold_may_be_let_go_after_its_cache()
    {
        TestCache test = await TestCache.OpenAsync();
        int calls = 0;
        ProtectedPage plain = test.Mapping.Protect(0, ProtectionReason.Snapshot);
        ProtectedPage watched = test.Mapping.Protect(1, ProtectionReason.Snapshot, _ => Interlocked.Increment(ref calls));
        await test.Cache.DisposeAsync();
        Assert.False(plain.IsCurrent);
        Assert.Throws<ObjectDisposedException>(() => plain.Span.Length);
        plain.Dispose();
        watched.Dispose();
        Assert.Equal(0, calls);
    }

    [Fact]
    public async Task The_holder_hears_of_a_break_once()
    {
        await using TestCache test = await TestCache.OpenAsync();
        List<ProtectedPage> told = [];
        using SemaphoreSlim signal = new(0);
        using ProtectedPage held = test.Mapping.Protect(0, ProtectionReason.Replica, Tell);
        using ProtectedPage other = test.Mapping.Protect(1, ProtectionReason.Replica, Tell);
        ProtectedPage gone = test.Mapping.Protect(0, ProtectionReason.Replica, Tell);
        gone.Dispose();
        test.Fill(0, 1);
        Assert.True(await signal.WaitAsync(Wait.Patience));
        test.Fill(0, 2);
        using ProtectedPage later = test.Mapping.Protect(0, ProtectionReason.Replica, Tell);
        test.Fill(0, 3);
        Assert.True(await signal.WaitAsync(Wait.Patience));
        Assert.Equal([held, later], told);

        void Tell(ProtectedPage page)
        {
            lock (told)
            {
                told.Add(page);
            }

            signal.Release();
        }
    }

    /// <remarks>Whoever is held before the write is told of it, whatever else goes on; whoever is held after it is not.</remarks>
    [Fact]
    public async Task A_break_that_races_the_hold_is_heard_of_exactly_once()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 4);
        for (int round = 0; round < 200; round++)
        {
            int[] calls = new int[4];
            ProtectedPage?[] held = new ProtectedPage?[4];
            using ManualResetEventSlim isDone = new();
            Together.Run(4, thread =>
            {
                if (thread < 2)
                {
                    held[thread] = test.Mapping.Protect(0, ProtectionReason.Snapshot, _ => Interlocked.Increment(ref calls[thread]));
                }
                else
                {
                    using PageWriteLease lease = test.Mapping.Write(0);
                    lease.Span.Fill((byte)lease.Span[1]);
                    lease.MarkDirty();
                }
            });
            for (int i = 0; i < 2; i++)
            {
                int index = i;
                if (!held[i]!.IsCurrent)
                {
                    Wait.Until(() => Volatile.Read(ref calls[index]) == 1, "the holder to be told");
                }

                held[i]!.Dispose();
                Assert.InRange(calls[i], 0, 1);
            }
        }
    }

    [Fact]
    public async Task What_is_held_is_read_where_it_cannot_be_written()
    {
        await using TestCache test = await TestCache.OpenAsync(guarded: true);
        using ProtectedPage held = test.Mapping.Protect(0, ProtectionReason.Snapshot);
        using PageReadLease lease = test.Mapping.Read(0);
        Assert.True(held.Span == lease.Span, "the bytes are held where readers read them (P-20)");
    }

    [Fact]
    public async Task In_a_hardened_domain_a_hold_does_not_save_the_first_writer_the_copy()
    {
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20, WriteBackInterval = TimeSpan.FromHours(1) });
        MappingOptions options = new() { SharingDomain = new SharingDomain("hardened") { IsHardened = true } };
        await using Mapping mapping = await cache.OpenAsync(new MemoryBlockDevice("device", 16 * 4096), options);
        mapping.Protect(0, ProtectionReason.Snapshot).Dispose();
        using (PageWriteLease lease = mapping.Write(0))
        {
            lease.MarkDirty();
        }

        Assert.Equal(1, cache.GetStatistics().Breaks);
        await Quiet.CheckAsync(cache, "written");
    }

    [Fact]
    public void Holds_for_a_reason_do_not_run_into_those_for_another()
    {
        unsafe
        {
            FrameDescriptor frame = default;
            for (int i = 0; i < ushort.MaxValue; i++)
            {
                Assert.True(FrameHolds.TryAdd(&frame, ProtectionReason.Snapshot));
            }

            Assert.False(FrameHolds.TryAdd(&frame, ProtectionReason.Snapshot));
            Assert.Equal(ProtectionReason.Snapshot, FrameHolds.ReasonOf(&frame));
            Assert.True(FrameHolds.TryAdd(&frame, ProtectionReason.WriteBack));
            Assert.True(FrameHolds.TryAdd(&frame, ProtectionReason.Lease));
            Assert.Equal(ProtectionReason.WriteBack, FrameHolds.ReasonOf(&frame));
            Assert.False(FrameHolds.Remove(&frame, ProtectionReason.WriteBack));
            for (int i = 0; i < ushort.MaxValue; i++)
            {
                Assert.False(FrameHolds.Remove(&frame, ProtectionReason.Snapshot));
            }

            Assert.Equal(ProtectionReason.Lease, FrameHolds.ReasonOf(&frame));
            Assert.True(FrameHolds.Remove(&frame, ProtectionReason.Lease));
            Assert.False(FrameHolds.IsHeld(&frame));
            Assert.Equal(ProtectionReason.Sharing, FrameHolds.ReasonOf(&frame));
        }
    }

    private static byte ByteOf(ProtectedPage held)
    {
        Assert.Equal(-1, held.Span.IndexOfAnyExcept(held.Span[0]));
        return held.Span[0];
    }
}
