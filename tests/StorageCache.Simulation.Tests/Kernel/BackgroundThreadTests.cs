using System.Collections.Concurrent;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Simulation.Tests.Kernel;

/// <summary>The threads that a cache has outside of a simulation.</summary>
/// <remarks>T-2.</remarks>
public class BackgroundThreadTests
{
    [Fact]
    public void Who_is_woken_takes_a_turn_and_who_is_not_takes_one_after_its_rest()
    {
        Work work = new();
        IBackgroundThread thread = BackgroundThreads.Instance.Create("work", work);

        // Before it is started, too.
        thread.Wake();
        thread.Start();
        Assert.True(work.Turns.Take());
        thread.Wake();
        Assert.True(work.Turns.Take());
        work.Rest = TimeSpan.FromMilliseconds(1);
        thread.Wake();
        Assert.True(work.Turns.Take());
        Assert.False(work.Turns.Take());
        work.Rest = TimeSpan.Zero;
        while (!work.Turns.Take())
        {
            // Rests that had begun before.
        }

        Assert.True(work.Turns.Take());
        work.MayGoOn = false;
        thread.End();
    }

    [Fact]
    public void A_thread_that_was_never_started_ends()
    {
        Work work = new();
        BackgroundThreads.Instance.Create("work", work).End();
        Assert.Empty(work.Turns);
    }

    [Fact]
    public async Task What_blocks_runs_apart()
    {
        using ManualResetEventSlim mayEnd = new();
        Task apart = BackgroundThreads.Instance.RunApart(() => mayEnd.Wait(TestContext.Current.CancellationToken));
        Assert.False(apart.IsCompleted);
        mayEnd.Set();
        await apart;
        await Assert.ThrowsAsync<InvalidOperationException>(() => BackgroundThreads.Instance.RunApart(static () => throw new InvalidOperationException()));
    }

    private sealed class Work : IBackgroundWork
    {
        private long _rest = Timeout.InfiniteTimeSpan.Ticks;

        public TimeSpan Rest
        {
            get => TimeSpan.FromTicks(Interlocked.Read(ref _rest));
            set => Interlocked.Exchange(ref _rest, value.Ticks);
        }

        public bool MayGoOn { get; set => Volatile.Write(ref field, value); } = true;

        /// <summary>Whether each was woken; no more than a few are kept, so that work without a rest is held up.</summary>
        public BlockingCollection<bool> Turns { get; } = new(boundedCapacity: 4);

        public bool TakeTurn(bool woken)
        {
            while (MayGoOn && !Turns.TryAdd(woken, millisecondsTimeout: 1))
            {
                // Until the test has looked, or has ended it.
            }

            return MayGoOn;
        }
    }
}
