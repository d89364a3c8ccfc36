using StorageCache.Tests.Harness;
using StorageCache.Waiting;
using Xunit;

namespace StorageCache.Tests.Waiting;

/// <summary>Waiters are pooled: what was meant for one use must not reach the next.</summary>
public class WaiterReuseTests
{
    /// <remarks>W-3. The timer of an earlier use goes off while the waiter changes hands.</remarks>
    [Fact]
    public void A_timer_that_runs_ahead_does_not_take_the_time_out_of_the_next_use()
    {
        HookedTime time = new();
        SoleWaiter waiter = new(time);
        waiter.Begin(TimeSpan.FromDays(24), CancellationToken.None);
        waiter.Arm();
        time.OnLook = () =>
        {
            time.OnLook = null;
            Assert.True(waiter.TryResume(WaitOutcome.Granted));
            waiter.End();
            waiter.Begin(TimeSpan.FromSeconds(1), CancellationToken.None);
            waiter.Arm();
        };
        time.FireTimer();

        Assert.True(time.Due <= TimeSpan.FromSeconds(2).Ticks, $"the timer is due at {new TimeSpan(time.Due)}");
        time.Now = TimeSpan.FromSeconds(2).Ticks;
        time.FireTimer();
        Assert.Equal(WaitOutcome.Aborted, waiter.Outcome);
        Assert.Equal(1, waiter.Runs);
    }

    /// <remarks>
    /// W-3. Whoever has armed a waiter looks afterwards whether it is cancelled; by then it may be used anew, by one who is not.
    /// </remarks>
    [Fact]
    public void A_cancellation_that_is_noticed_late_does_not_reach_the_next_use()
    {
        SoleWaiter waiter = new(new HookedTime());
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        bool stop = false;
        int aborted = 0;
        Thread watcher = new(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                waiter.Watch(waiter.Ticket);
            }
        });
        watcher.Start();
        try
        {
            for (int round = 0; round < 300; round++)
            {
                waiter.Begin(Timeout.InfiniteTimeSpan, cancelled.Token);
                waiter.Arm();
                Thread.Yield();
                aborted += waiter.TryResume(WaitOutcome.Granted) ? 0 : 1;
                Wait.Until(() => waiter.Runs == aborted, "the one who resumed the waiter to dispatch it");
                waiter.End();

                waiter.Begin(Timeout.InfiniteTimeSpan, CancellationToken.None);
                waiter.Arm();
                Thread.Yield();
                Assert.True(waiter.TryResume(WaitOutcome.Granted), $"round {round}: {waiter.Outcome}");
                waiter.End();
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            watcher.Join();
        }
    }

    private sealed class SoleWaiter : Waiter
    {
        private int _runs;

        public SoleWaiter(TimeProvider time)
            : base(1, time, new PooledResumption(TimeProvider.System)) => IsInline = true;

        public int Runs => Volatile.Read(ref _runs);

        public void Begin(TimeSpan timeout, CancellationToken token) => Prepare(timeout, token);

        public void End() => Finish();

        public override void Run() => Interlocked.Increment(ref _runs);
    }

    /// <summary>A clock with one timer, which goes off when it is told to, and something to do when it is looked at.</summary>
    private sealed class HookedTime : TimeProvider, ITimer
    {
        private TimerCallback? _callback;
        private object? _state;

        public long Now { get; set; }

        public long Due { get; private set; }

        public Action? OnLook { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp()
        {
            OnLook?.Invoke();
            return Now;
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _callback = callback;
            _state = state;
            return this;
        }

        public void FireTimer() => _callback!(_state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : Now + dueTime.Ticks;
            return true;
        }

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
