using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

public class LeaseTests
{
    public enum Kind
    {
        Read,
        Write,
        Pin,
        Optimistic,
        New,
    }

    public static TheoryData<Kind> Kinds => [.. Enum.GetValues<Kind>()];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Every_form_gives_the_page(Kind kind)
    {
        await using TestCache test = await TestCache.OpenAsync();
        Mapping m = test.Mapping;
        TimeSpan time = TimeSpan.FromSeconds(20);
        CancellationToken token = new CancellationTokenSource().Token;
        for (long page = 0; page < 2; page++)
        {
            switch (kind)
            {
                case Kind.Read:
                    m.Read(page).Dispose();
                    m.Read(page, time).Dispose();
                    Assert.True(m.TryRead(page, out PageReadLease read));
                    Assert.Equal(page, read.Page);
                    Assert.True(read.IsHeld);
                    read.Dispose();
                    Assert.False(read.IsHeld);
                    (await m.ReadAsync(page, token)).Dispose();
                    (await m.ReadAsync(page, time, token)).Dispose();
                    break;
                case Kind.Write:
                    m.Write(page).Dispose();
                    m.Write(page, time).Dispose();
                    Assert.True(m.TryWrite(page, out PageWriteLease write));
                    Assert.Equal(page, write.Page);
                    write.Dispose();
                    (await m.WriteAsync(page, token)).Dispose();
                    (await m.WriteAsync(page, time, token)).Dispose();
                    break;
                case Kind.Pin:
                    m.Pin(page).Dispose();
                    m.Pin(page, time).Dispose();
                    Assert.True(m.TryPin(page, out PagePin pin));
                    Assert.Equal(page, pin.Page);
                    pin.Dispose();
                    (await m.PinAsync(page, token)).Dispose();
                    (await m.PinAsync(page, time, token)).Dispose();
                    break;
                case Kind.Optimistic:
                    Assert.True(m.ReadOptimistic(page).Validate());
                    Assert.True(m.ReadOptimistic(page, time).Validate());
                    Assert.True(m.TryReadOptimistic(page, out OptimisticRead optimistic));
                    Assert.Equal(page, optimistic.Page);
                    Assert.True((await m.ReadOptimisticAsync(page, token)).Validate());
                    Assert.True((await m.ReadOptimisticAsync(page, time, token)).Validate());
                    break;
                default:
                    m.WriteNew(page).Dispose();
                    m.WriteNew(page, time).Dispose();
                    Assert.True(m.TryWriteNew(page, out PageWriteLease made));
                    Assert.Equal(page, made.Page);
                    made.Dispose();
                    (await m.WriteNewAsync(page, token)).Dispose();
                    (await m.WriteNewAsync(page, time, token)).Dispose();
                    break;
            }
        }

        test.AssertSound();
    }

    [Fact]
    public async Task The_async_forms_complete_synchronously_on_a_hit()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Mapping m = test.Mapping;
        m.Read(1).Dispose();
        TimeSpan time = TimeSpan.FromSeconds(5);

        Assert.True(Done(m.ReadAsync(1)));
        Assert.True(Done(m.ReadAsync(1, time)));
        Assert.True(Done(m.WriteAsync(1)));
        Assert.True(Done(m.WriteAsync(1, time)));
        Assert.True(Done(m.PinAsync(1)));
        Assert.True(Done(m.PinAsync(1, time)));
        Assert.True(Done(m.WriteNewAsync(1)));
        Assert.True(m.ReadOptimisticAsync(1).IsCompletedSuccessfully);
        Assert.True(m.ReadOptimisticAsync(1, time).IsCompletedSuccessfully);

        static bool Done<T>(ValueTask<T> task)
            where T : IDisposable
        {
            bool done = task.IsCompletedSuccessfully;
            task.AsTask().Result.Dispose();
            return done;
        }
    }

    [Fact]
    public async Task A_hit_is_had_even_with_a_cancelled_token()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Mapping.Read(1).Dispose();

        (await test.Mapping.ReadAsync(1, new CancellationToken(canceled: true))).Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.Mapping.ReadAsync(2, new CancellationToken(canceled: true)).AsTask());
    }

    [Fact]
    public async Task Try_forms_do_no_read_and_do_not_wait()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Assert.False(test.Mapping.TryRead(1, out PageReadLease read));
        Assert.False(read.IsHeld);
        Assert.False(test.Mapping.TryWrite(1, out _));
        Assert.False(test.Mapping.TryPin(1, out _));
        Assert.False(test.Mapping.TryReadOptimistic(1, out _));
        Assert.Equal(0, test.Device.Reads);

        using PageWriteLease held = test.Mapping.Write(1);
        Assert.False(test.Mapping.TryRead(1, out _));
        Assert.False(test.Mapping.TryWrite(1, out _));
        Assert.False(test.Mapping.TryWriteNew(1, out _));
        Assert.False(test.Mapping.TryReadOptimistic(1, out _));
        Assert.True(test.Mapping.TryPin(1, out PagePin pin));
        pin.Dispose();
    }

    [Fact]
    public async Task Shared_leases_coexist_and_an_exclusive_one_excludes()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageReadLease first = test.Mapping.Read(1);
        PageReadLease second = test.Mapping.Read(1);
        Assert.False(test.Mapping.TryWrite(1, out _));
        first.Dispose();
        Assert.False(test.Mapping.TryWrite(1, out _));
        second.Dispose();
        Assert.True(test.Mapping.TryWrite(1, out PageWriteLease write));
        Assert.False(test.Mapping.TryRead(1, out _));
        write.Dispose();
    }

    [Fact]
    public async Task Reader_number_16385_waits_for_one_to_leave()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageReadLease[] leases = new PageReadLease[16384];
        for (int i = 0; i < leases.Length; i++)
        {
            leases[i] = test.Mapping.Read(1);
        }

        Assert.False(test.Mapping.TryRead(1, out _));
        Task<PageReadLease> last = test.Mapping.ReadAsync(1).AsTask();
        Assert.False(last.IsCompleted);
        leases[77].Dispose();
        (await last.InTime()).Dispose();
        for (int i = 0; i < leases.Length; i++)
        {
            leases[i].Dispose();
        }
    }

    [Fact]
    public async Task A_downgrade_lets_readers_in_but_no_writer()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease write = test.Mapping.Write(1);
        write.Span.Fill(9);
        write.MarkDirty();
        Task<PageReadLease> reader = test.Mapping.ReadAsync(1).AsTask();
        Task<PageWriteLease> writer = test.Mapping.WriteAsync(1).AsTask();

        PageReadLease read = write.Downgrade();

        Assert.False(write.IsHeld);
        using (PageReadLease joined = await reader.InTime())
        {
            Assert.Equal(9, joined.Span[5]);
        }

        Assert.Equal(9, read.Span[0]);
        Assert.False(writer.IsCompleted);
        read.Dispose();
        (await writer.InTime()).Dispose();
    }

    [Fact]
    public void A_lease_that_was_never_acquired_throws_on_use_and_not_on_disposal()
    {
        PageReadLease read = default;
        PageWriteLease write = default;
        PagePin pin = default;
        OptimisticRead optimistic = default;
        Assert.Throws<InvalidOperationException>(() => read.Span.Length);
        Assert.Throws<InvalidOperationException>(() => read.Page);
        Assert.Throws<InvalidOperationException>(() => read.Lsn);
        Assert.Throws<InvalidOperationException>(() => write.Span.Length);
        Assert.Throws<InvalidOperationException>(() => write.Page);
        Assert.Throws<InvalidOperationException>(() => write.Lsn);
        Assert.Throws<InvalidOperationException>(() => write.PrivateWord);
        Assert.Throws<InvalidOperationException>(() => write.PrivateWord = 1);
        Assert.Throws<InvalidOperationException>(write.MarkDirty);
        Assert.Throws<InvalidOperationException>(() => write.MarkDirty(1));
        Assert.Throws<InvalidOperationException>(() => write.Downgrade());
        Assert.Throws<InvalidOperationException>(() => pin.Page);
        Assert.Throws<InvalidOperationException>(() => pin.Read());
        Assert.Throws<InvalidOperationException>(() => pin.TryRead(out _));
        Assert.Throws<InvalidOperationException>(() => pin.TryWrite(out _));
        Assert.Throws<InvalidOperationException>(() => pin.Write());
        Assert.Throws<InvalidOperationException>(() => pin.TryReadOptimistic(out _));
        Assert.Throws<InvalidOperationException>(() => optimistic.Span.Length);
        Assert.Throws<InvalidOperationException>(() => optimistic.Page);
        Assert.Throws<InvalidOperationException>(() => optimistic.TryUpgrade(out PageReadLease _));
        Assert.Throws<InvalidOperationException>(() => optimistic.TryUpgrade(out PageWriteLease _));
        Assert.False(optimistic.Validate());
        read.Dispose();
        write.Dispose();
        pin.Dispose();
    }

    [Fact]
    public async Task Disposing_of_a_lease_twice_is_harmless()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageReadLease read = test.Mapping.Read(1);
        PageReadLease other = test.Mapping.Read(1);
        read.Dispose();
        read.Dispose();
        Assert.Throws<InvalidOperationException>(() => read.Span.Length);
        Assert.False(test.Mapping.TryWrite(1, out _));
        other.Dispose();

        PageWriteLease write = test.Mapping.Write(1);
        write.Dispose();
        write.Dispose();
        PagePin pin = test.Mapping.Pin(1);
        pin.Dispose();
        pin.Dispose();
        Assert.Equal(0, test.Cache.GetStatistics().PinsHeld);
    }

    [Fact]
    public async Task A_lease_may_be_returned_by_another_thread()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease write = test.Mapping.Write(1);
        await Task.Run(() => write.Dispose());
        Assert.True(test.Mapping.TryWrite(1, out PageWriteLease next));
        next.Dispose();
    }

    [Fact]
    public async Task Lsn_and_private_word_live_while_the_page_is_resident()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000);
        using (PageWriteLease write = test.Mapping.Write(1))
        {
            Assert.Equal(0ul, write.Lsn);
            Assert.Equal(0ul, write.PrivateWord);
            write.MarkDirty(100);
            write.PrivateWord = 0xfeed;
        }

        using (PageWriteLease write = test.Mapping.Write(1))
        {
            Assert.Equal(100ul, write.Lsn);
            Assert.Equal(0xfeedul, write.PrivateWord);
            Assert.Throws<ArgumentOutOfRangeException>(() => write.MarkDirty(99));
            Assert.Equal(100ul, write.Lsn);
            write.MarkDirty(100);
            write.MarkDirty(ulong.MaxValue);
        }

        using (PageReadLease read = test.Mapping.Read(1))
        {
            Assert.Equal(ulong.MaxValue, read.Lsn);
        }

        await test.Mapping.FlushAsync().InTime();
        test.Evict(1);
        using (PageWriteLease write = test.Mapping.Write(1))
        {
            Assert.Equal(0ul, write.Lsn);
            Assert.Equal(0ul, write.PrivateWord);
        }
    }

    [Fact]
    public async Task A_negative_page_and_a_time_out_of_nothing_are_refused()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Mapping m = test.Mapping;
        foreach (long page in new[] { -1, long.MinValue })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => m.Read(page));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.TryRead(page, out _));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.Write(page));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.TryWrite(page, out _));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.Pin(page));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.TryPin(page, out _));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.WriteNew(page));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.TryWriteNew(page, out _));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.ReadOptimistic(page));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.TryReadOptimistic(page, out _));
            Assert.Throws<ArgumentOutOfRangeException>(() => m.ReadAsync(page).AsTask().Wait());
            Assert.Throws<ArgumentOutOfRangeException>(() => m.Prefetch(page, 1));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => m.Prefetch(0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => m.Read(0, TimeSpan.Zero));
        Assert.Throws<ArgumentOutOfRangeException>(() => m.Write(0, TimeSpan.FromSeconds(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => m.Pin(0, TimeSpan.MaxValue));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(1L << 40)]
    [InlineData(long.MaxValue)]
    public async Task A_page_beyond_the_end_is_truncated(long page)
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageTruncatedException error = Assert.Throws<PageTruncatedException>(() => test.Mapping.Read(page));
        Assert.Equal(page, error.Page);
        Assert.Equal(test.Mapping.Path, error.Path);
        await Assert.ThrowsAsync<PageTruncatedException>(() => test.Mapping.WriteAsync(page).AsTask());
        Assert.Throws<PageTruncatedException>(() => test.Mapping.Pin(page));
        Assert.Throws<PageTruncatedException>(() => test.Mapping.ReadOptimistic(page));
        Assert.False(test.Mapping.TryRead(page, out _));
        Assert.Equal(0, test.Device.Reads);
    }

    /// <summary>A value task that is awaited a second time must not give its waiter back to the pool a second time (W-2).</summary>
    [Fact]
    public async Task Awaiting_a_value_task_twice_throws_and_breaks_nothing()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease held = test.Mapping.Write(1);
        ValueTask<PageReadLease> task = test.Mapping.ReadAsync(1);
        held.Dispose();
        Wait.Until(() => task.IsCompleted, "the reader");
        PageReadLease lease = await task;

        bool threw = false;
        try
        {
            _ = await task;
        }
        catch (InvalidOperationException)
        {
            threw = true;
        }

        Assert.True(threw);
        Assert.Equal(0, test.Cache.Core.Waiters.InUse);
        lease.Dispose();
    }
}
