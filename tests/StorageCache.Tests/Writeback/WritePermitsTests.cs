using StorageCache.Platform;
using StorageCache.Tests.Harness;
using StorageCache.Writeback;
using Xunit;

namespace StorageCache.Tests.Writeback;

public sealed class WritePermitsTests : IDisposable
{
    private readonly OwnThread _thread = new("permits", BackgroundThreads.Instance);

    public WritePermitsTests() => _thread.Start();

    public void Dispose() => _thread.Stop();

    /// <remarks>WB-11.</remarks>
    [Fact]
    public async Task Who_waits_is_given_a_quarter_of_all_at_once_or_as_many_as_it_has_use_for()
    {
        WritePermits permits = new(16, bytesLimit: 1000);
        Assert.Equal(10, await TakeAsync(permits, 10));
        Assert.Equal(6, await TakeAsync(permits, 10));
        Task<int> many = TakeAsync(permits, 10);
        permits.Release(3, 0);
        Assert.False(many.IsCompleted);
        permits.Release(1, 0);
        Assert.Equal(4, await many.InTime());
        Task<int> one = TakeAsync(permits, 1);
        permits.Release(1, 0);
        Assert.Equal(1, await one.InTime());
        Assert.Equal(0, permits.Available);
    }

    [Fact]
    public async Task First_come_first_served_also_if_a_later_one_wants_less()
    {
        WritePermits permits = new(8, bytesLimit: 1000);
        Assert.Equal(8, await TakeAsync(permits, 8));
        Task<int> many = TakeAsync(permits, 8);
        Task<int> one = TakeAsync(permits, 1);
        permits.Release(1, 0);
        Assert.False(many.IsCompleted || one.IsCompleted);
        permits.Release(2, 0);
        Assert.Equal(3, await many.InTime());
        Assert.False(one.IsCompleted);
        permits.Release(1, 0);
        Assert.Equal(1, await one.InTime());
    }

    /// <remarks>WB-12.</remarks>
    [Fact]
    public async Task No_write_begins_while_as_many_bytes_are_under_way_as_may_be()
    {
        WritePermits permits = new(8, bytesLimit: 100);
        Assert.Equal(1, await TakeAsync(permits, 1));
        permits.Charge(99);
        Assert.True(permits.HasRoom);
        Assert.Equal(1, await TakeAsync(permits, 1));
        permits.Charge(2);
        Assert.False(permits.HasRoom);
        Task<int> waiting = TakeAsync(permits, 1);
        permits.Release(1, bytes: 0);
        Assert.False(waiting.IsCompleted);
        permits.Release(1, bytes: 2);
        Assert.Equal(1, await waiting.InTime());
        Assert.Equal(99, permits.Bytes);
    }

    [Fact]
    public async Task Who_is_cancelled_leaves_the_line_to_those_behind()
    {
        WritePermits permits = new(8, bytesLimit: 100);
        using CancellationTokenSource source = new();
        Assert.Equal(8, await TakeAsync(permits, 8));
        Task<int> first = TakeAsync(permits, 8, source.Token);
        Task<int> second = TakeAsync(permits, 1);
        permits.Release(1, 0);
        Assert.False(second.IsCompleted);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.InTime());
        Assert.Equal(1, await second.InTime());
        permits.Release(8, 0);
        Assert.Equal(8, permits.Available);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => TakeAsync(permits, 8, source.Token));
        Assert.Equal(8, permits.Available);
    }

    [Fact]
    public async Task A_waiter_goes_on_on_the_caches_own_thread_T_1()
    {
        WritePermits permits = new(1, bytesLimit: 100);
        AwaitedPermitWaiter waiter = new(permits, _thread);
        for (int i = 0; i < 100; i++)
        {
            await permits.TakeAsync(waiter, 1, default);
            ValueTask<int> waiting = permits.TakeAsync(waiter, 1, default);
            Task<string?> thread = GoOnAsync();
            permits.Release(1, 0);
            Assert.Equal("permits", await thread.InTime());
            permits.Release(1, 0);

            async Task<string?> GoOnAsync()
            {
                await waiting.ConfigureAwait(true);
                return Thread.CurrentThread.Name;
            }
        }
    }

    /// <summary>Permits go back and forth between threads and asynchronous code, some of which is cancelled; none is lost.</summary>
    [Fact]
    public async Task No_permit_is_lost_or_made_up()
    {
        WritePermits permits = new(5, bytesLimit: 40);
        int under = 0;
        int most = 0;
        void Write(int taken, Random random)
        {
            int used = random.Next(taken + 1);
            int now = Interlocked.Add(ref under, used);
            InterlockedMax(ref most, now);
            permits.Charge(10 * used);
            permits.Release(taken - used, 0);
            Thread.SpinWait(random.Next(50));
            Interlocked.Add(ref under, -used);
            permits.Release(used, 10 * used);
        }

        Task[] threads = [.. Enumerable.Range(0, 3).Select(number => Task.Factory.StartNew(
            () =>
            {
                Random random = new(number);
                WokenThread thread = new();
                TurnPermitWaiter waiter = new(thread);
                for (int i = 0; i < 3000; i++)
                {
                    int taken = permits.TakeOrWait(waiter, random.Next(1, 8));
                    while (taken == 0)
                    {
                        thread.WaitForTurn();
                        taken = waiter.TakeGranted();
                    }

                    Write(taken, random);
                }
            },
            TaskCreationOptions.LongRunning))];
        Task[] flushes = [.. Enumerable.Range(0, 3).Select(number => Task.Run(async () =>
        {
            Random random = new(100 + number);
            AwaitedPermitWaiter waiter = new(permits, _thread);
            for (int i = 0; i < 3000; i++)
            {
                using CancellationTokenSource source = new();
                ValueTask<int> taking = permits.TakeAsync(waiter, random.Next(1, 8), source.Token);
                Task cancelling = random.Next(3) == 0 ? Task.Run(source.Cancel) : Task.CompletedTask;
                try
                {
                    Write(await taking, random);
                }
                catch (OperationCanceledException)
                {
                    // Took none.
                }

                await cancelling;
            }
        }))];
        await Task.WhenAll([.. threads, .. flushes]).WaitAsync(TimeSpan.FromMinutes(5));
        Assert.Equal(5, permits.Available);
        Assert.Equal(0, permits.Bytes);
        Assert.InRange(most, 1, 5);
    }

    private static void InterlockedMax(ref int location, int value)
    {
        int seen = Volatile.Read(ref location);
        while (value > seen)
        {
            int before = Interlocked.CompareExchange(ref location, value, seen);
            if (before == seen)
            {
                return;
            }

            seen = before;
        }
    }

    private Task<int> TakeAsync(WritePermits permits, int most, CancellationToken token = default) =>
        permits.TakeAsync(new AwaitedPermitWaiter(permits, _thread), most, token).AsTask();

    /// <summary>The calling thread, as one that is given turns.</summary>
    private sealed class WokenThread : IBackgroundThread
    {
        private readonly AutoResetEvent _wake = new(false);

        public void Start()
        {
        }

        public void Wake() => _wake.Set();

        public void End()
        {
        }

        public void WaitForTurn() => _wake.WaitOne();
    }
}
