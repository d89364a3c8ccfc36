using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Waiting;

public class CancellationTests
{
    /// <remarks>W-10.</remarks>
    [Fact]
    public async Task Cancelling_from_the_middle_of_10000_looks_at_no_other_waiter()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageWriteLease held = test.Mapping.Write(1);
        CancellationTokenSource[] sources = [.. Enumerable.Range(0, 10_000).Select(_ => new CancellationTokenSource())];
        Task<PageReadLease>[] readers = [.. sources.Select(source => test.Mapping.ReadAsync(1, source.Token).AsTask())];
        long examined = test.Cache.GetStatistics().WaitersExamined;
        for (int i = 0; i < 9_000; i++)
        {
            // From the middle outwards.
            sources[5_000 + ((i & 1) == 0 ? -(i / 2) - 1 : i / 2)].Cancel();
        }

        for (int i = 501; i < 9_499; i++)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => readers[i].InTime());
        }

        Wait.Until(() => test.WaitersOf(1) == 1000, "the cancelled to leave");
        Assert.Equal(0, test.Cache.GetStatistics().WaitersExamined - examined);
        held.Dispose();
        foreach (Task<PageReadLease> reader in readers.Take(500).Concat(readers.Skip(9_500)))
        {
            (await reader.InTime()).Dispose();
        }

        Assert.InRange(test.Cache.GetStatistics().WaitersExamined - examined, 1000, 1001);
    }

    /// <summary>
    /// The token is cancelled after the grant and before the waiter runs: the grant goes on to the next in line (W-4).
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    public async Task A_waiter_that_is_cancelled_after_it_was_granted_passes_the_grant_on(int stealLimit)
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true, stealLimit: stealLimit);
        using CancellationTokenSource source = new();
        PageWriteLease gate = test.Mapping.Write(2);
        PageWriteLease held = test.Mapping.Write(1);
        Task<PageReadLease> cancelledReader = test.Mapping.ReadAsync(1, source.Token).AsTask();
        Task<PageWriteLease> cancelledWriter = test.Mapping.WriteAsync(1, source.Token).AsTask();
        Task<PageWriteLease> next = test.Mapping.WriteAsync(1).AsTask();
        Task<PageReadLease> last = test.Mapping.ReadAsync(1).AsTask();
        Task outer = Outer();

        gate.Dispose();

        await outer.InTime();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelledReader.InTime());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelledWriter.InTime());
        (await next.InTime()).Dispose();
        (await last.InTime()).Dispose();
        test.AssertSound();

        async Task Outer()
        {
            using PageWriteLease inner = await test.Mapping.WriteAsync(2);
            held.Dispose();
            source.Cancel();
        }
    }

    [Fact]
    public async Task A_pin_that_is_granted_and_cancelled_is_returned()
    {
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        using CancellationTokenSource source = new();
        PageWriteLease gate = test.Mapping.Write(2);
        test.Device.Hold = call => call.Page == 7;
        Task<PagePin> pin = test.Mapping.PinAsync(7, source.Token).AsTask();
        Task outer = Outer();
        gate.Dispose();
        await outer.InTime();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pin.InTime());
        Assert.Equal(0, test.Cache.GetStatistics().PinsHeld);
        test.Evict(7);

        async Task Outer()
        {
            using PageWriteLease inner = await test.Mapping.WriteAsync(2);
            test.Device.ReleaseAll();
            source.Cancel();
        }
    }

    /// <remarks>M-5.</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_issuer_that_leaves_does_not_stop_the_read(bool others)
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Fill(5, 5);
        test.Device.Hold = _ => true;
        using CancellationTokenSource source = new();
        Task<PageReadLease> issuer = test.Mapping.ReadAsync(5, source.Token).AsTask();
        Task<PageReadLease>? other = others ? test.Mapping.ReadAsync(5).AsTask() : null;
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => issuer.InTime());
        Assert.False(other?.IsCompleted ?? false);
        test.Device.ReleaseAll();
        if (other is not null)
        {
            (await other.InTime()).Dispose();
        }

        Assert.True(test.Mapping.TryRead(5, out PageReadLease lease));
        Assert.Equal(5, lease.Span[0]);
        lease.Dispose();
        Assert.Equal(1, test.Device.Reads);
    }

    [Fact]
    public async Task A_cancelled_writer_at_the_front_lets_the_readers_behind_it_in()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 0);
        using CancellationTokenSource source = new();
        using PageReadLease held = test.Mapping.Read(1);
        Task<PageWriteLease> writer = test.Mapping.WriteAsync(1, source.Token).AsTask();
        Task<PageReadLease> reader = test.Mapping.ReadAsync(1).AsTask();
        Assert.False(reader.IsCompleted);
        source.Cancel();
        (await reader.InTime()).Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writer.InTime());
    }

    /// <summary>Seeded rounds of a cancellation racing a release: the waiter ends one way or the other, and the latch is free (W-3, W-4).</summary>
    [Fact]
    public async Task A_cancellation_that_races_a_grant_loses_nothing()
    {
        await using TestCache test = await TestCache.OpenAsync(stealLimit: 0);
        Random random = new(99);
        int cancelled = 0;
        for (int i = 0; i < 1500; i++)
        {
            using CancellationTokenSource source = new();
            PageWriteLease held = test.Mapping.Write(1);
            Task<PageWriteLease> writer = test.Mapping.WriteAsync(1, source.Token).AsTask();
            int spins = random.Next(200);
            Task cancel = Task.Run(() =>
            {
                Thread.SpinWait(spins);
                source.Cancel();
            });
            Thread.SpinWait(random.Next(200));
            held.Dispose();
            try
            {
                (await writer.InTime()).Dispose();
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }

            await cancel;
            test.Mapping.Write(1).Dispose();
        }

        Assert.InRange(cancelled, 0, 1500);
        test.AssertSound();
    }
}
