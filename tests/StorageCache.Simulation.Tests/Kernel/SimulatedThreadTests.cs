using StorageCache.Platform;
using StorageCache.Simulation.Kernel;
using Xunit;

namespace StorageCache.Simulation.Tests.Kernel;

/// <remarks>SIM-2.</remarks>
public class SimulatedThreadTests
{
    [Fact]
    public void A_turn_is_due_when_the_rest_is_over_or_somebody_wakes_the_thread()
    {
        SimulatedClock clock = new();
        SimulatedThreads threads = new(clock);
        Work work = new() { Rest = TimeSpan.FromTicks(10) };
        IBackgroundThread thread = threads.Create("work", work);
        thread.Start();
        Assert.Empty(Due());
        Assert.Equal(10, threads.NextDue);
        clock.Advance(10);
        Assert.Single(Due()).TakeTurn();
        Assert.Equal([false], work.Turns);
        Assert.Empty(Due());
        thread.Wake();
        Assert.Single(Due()).TakeTurn();
        Assert.Equal([false, true], work.Turns);
        work.Rest = TimeSpan.Zero;
        thread.Wake();
        Assert.Single(Due()).TakeTurn();
        Assert.Single(Due()).TakeTurn();
        Assert.Equal([false, true, true, true], work.Turns);
        work.MayGoOn = false;
        thread.End();
        Assert.Empty(Due());
        Assert.Equal(long.MaxValue, threads.NextDue);

        List<SimulatedThread> Due()
        {
            List<SimulatedThread> due = [];
            threads.FindDue(due);
            return due;
        }
    }

    [Fact]
    public void A_timer_fires_when_it_is_due_and_never_by_itself()
    {
        SimulatedClock clock = new();
        int fired = 0;
        ITimer timer = clock.CreateTimer(_ => fired++, null, TimeSpan.FromTicks(5), Timeout.InfiniteTimeSpan);
        Assert.Equal(5, clock.NextDue);
        clock.Advance(7);
        Assert.Equal(0, fired);
        Assert.Single(Due()).Fire();
        Assert.Equal(1, fired);
        Assert.Empty(Due());
        timer.Change(TimeSpan.FromTicks(3), TimeSpan.FromTicks(4));
        clock.Advance(3);
        Assert.Single(Due()).Fire();
        Assert.Equal(14, clock.NextDue);
        timer.Dispose();
        Assert.Equal(long.MaxValue, clock.NextDue);

        List<SimulatedTimer> Due()
        {
            List<SimulatedTimer> due = [];
            clock.FindDue(due);
            return due;
        }
    }

    private sealed class Work : IBackgroundWork
    {
        public TimeSpan Rest { get; set; }

        public bool MayGoOn { get; set; } = true;

        public List<bool> Turns { get; } = [];

        public bool TakeTurn(bool woken)
        {
            Turns.Add(woken);
            return MayGoOn;
        }
    }
}
