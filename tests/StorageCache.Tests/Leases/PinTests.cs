using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

public class PinTests
{
    /// <remarks>B-6, B-7.</remarks>
    [Fact]
    public async Task A_pinned_page_stays_under_eviction_pressure()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: TestCache.Smallest);
        PagePin[] pins = [.. Enumerable.Range(0, 20).Select(page => test.Mapping.Pin(page * 10))];
        for (int page = 300; page < 2000; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        long reads = test.Device.Reads;
        foreach (PagePin pin in pins)
        {
            Assert.True(test.IsResident(pin.Page));
            Assert.True(pin.TryRead(out PageReadLease lease));
            lease.Dispose();
        }

        Assert.Equal(reads, test.Device.Reads);
        Assert.Equal(20, test.Cache.GetStatistics().PinsHeld);
        for (int i = 0; i < pins.Length; i++)
        {
            pins[i].Dispose();
        }

        Assert.Equal(0, test.Cache.GetStatistics().PinsHeld);
        test.Evict(0);
    }

    [Fact]
    public async Task Leases_are_taken_from_a_pin_and_may_outlive_it()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PagePin pin = await test.Mapping.PinAsync(3);
        using (PageWriteLease write = pin.Write())
        {
            write.Span.Fill(3);
            write.MarkDirty();
            Assert.False(pin.TryRead(out _));
            Assert.False(pin.TryWrite(out _));
            Assert.False(pin.TryReadOptimistic(out _));
        }

        Assert.True(pin.TryReadOptimistic(out OptimisticRead optimistic));
        Assert.Equal(3, optimistic.Span[9]);
        Assert.True(optimistic.Validate());
        PageReadLease read = await pin.ReadAsync();
        ValueTask<PageWriteLease> writer = pin.WriteAsync();
        Assert.False(writer.IsCompleted);
        pin.Dispose();
        Assert.Equal(3, read.Span[0]);
        read.Dispose();
        (await writer.InTime()).Dispose();
    }

    [Fact]
    public async Task A_pin_neither_waits_for_latches_nor_holds_them_up()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease write = test.Mapping.Write(3);
        PagePin pin = test.Mapping.Pin(3);
        PagePin second = await test.Mapping.PinAsync(3).InTime();
        write.Dispose();
        test.Mapping.Write(3).Dispose();
        pin.Dispose();
        second.Dispose();
    }

    /// <remarks>W-11: pins wait for the load, wherever they stand, and not for the writer who stands before them.</remarks>
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public async Task A_pin_that_waits_for_a_load_does_not_wait_for_the_writer_before_it(int stealLimit)
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: stealLimit);
        test.Device.Hold = _ => true;
        Task<PageWriteLease> first = test.Mapping.WriteAsync(3).AsTask();
        Task<PagePin> pin = test.Mapping.PinAsync(3).AsTask();
        Task<PageReadLease> reader = test.Mapping.ReadAsync(3).AsTask();
        Task<PageWriteLease> second = test.Mapping.WriteAsync(3).AsTask();
        Task<PagePin> last = Task.Factory.StartNew(() => test.Mapping.Pin(3, TimeSpan.FromMinutes(5)), TaskCreationOptions.LongRunning);
        test.WaitForWaiters(3, 5);
        long examined = test.Cache.GetStatistics().WaitersExamined;
        test.Device.ReleaseAll();

        PageWriteLease held = await first.InTime();
        (await pin.InTime()).Dispose();
        (await last.InTime()).Dispose();

        // Once each for the pins, and the writer at the front once more to be told.
        Assert.Equal(6, test.Cache.GetStatistics().WaitersExamined - examined);
        Assert.False(reader.IsCompleted);
        Assert.False(second.IsCompleted);
        held.Dispose();
        (await reader.InTime()).Dispose();
        (await second.InTime()).Dispose();
        test.AssertSound();
    }

    /// <summary>Rounds of a pin racing an eviction of the same page: whoever wins, a held pin has a resident page (B-6).</summary>
    [Fact]
    public async Task A_pin_and_an_eviction_are_settled_on_the_state_word()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest);
        Random random = new(4711);
        int rounds = 3000;
        bool stop = false;
        Thread evictor = new(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                test.Cache.Core.Reclaimer.Evict(4);
            }
        });
        evictor.Start();
        try
        {
            for (int i = 0; i < rounds; i++)
            {
                long page = random.Next(40);
                using PagePin pin = test.Mapping.Pin(page);
                Assert.True(test.IsResident(page), $"round {i}");
                using PageReadLease lease = pin.Read();
                Assert.Equal(page, lease.Page);
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            evictor.Join();
        }

        test.AssertSound();
    }

    /// <remarks>A head that a pin kept over a truncation says nothing about the page that comes after it.</remarks>
    [Fact]
    public async Task Lsn_and_private_word_do_not_survive_a_truncation_under_a_pin()
    {
        await using TestCache test = await TestCache.OpenAsync();
        using PagePin pin = test.Mapping.Pin(10);
        using (PageWriteLease write = pin.Write())
        {
            write.MarkDirty(50);
            write.PrivateWord = 5;
        }

        await test.Mapping.TruncateAsync(4096).InTime();
        Assert.Throws<PageTruncatedException>(() => pin.Read());
        Assert.False(pin.TryReadOptimistic(out _));
        await test.Mapping.ExtendAsync(64 * 4096);

        using (PageWriteLease write = pin.Write())
        {
            Assert.Equal(0ul, write.Lsn);
            Assert.Equal(0ul, write.PrivateWord);
            Assert.Equal(0, write.Span.IndexOfAnyExcept((byte)0) + 1);
            write.MarkDirty(1);
        }
    }
}
