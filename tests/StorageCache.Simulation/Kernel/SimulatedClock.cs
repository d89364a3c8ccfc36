namespace StorageCache.Simulation.Kernel;

/// <summary>
/// A clock that stands still while anything runs. The driver moves it, and fires the timers that are due one by one, in an order of its
/// own. Not thread-safe.
/// </summary>
internal sealed class SimulatedClock : TimeProvider
{
    /// <summary>Those that are set, in the order in which they were.</summary>
    private readonly List<SimulatedTimer> _timers = [];
    private long _now;

    /// <summary>Time stamps are ticks of 100 ns.</summary>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>When the next timer is due, in ticks; <see cref="long.MaxValue"/> if none is set.</summary>
    public long NextDue
    {
        get
        {
            long next = long.MaxValue;
            foreach (SimulatedTimer timer in _timers)
            {
                next = Math.Min(next, timer.Due);
            }

            return next;
        }
    }

    /// <summary>Time since the simulation began, in ticks.</summary>
    public long Now => _now;

    /// <inheritdoc/>
    public override long GetTimestamp() => _now;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + TimeSpan.FromTicks(_now);

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        SimulatedTimer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock. Fires nothing.</summary>
    public void Advance(long ticks) => _now += ticks;

    /// <summary>Fills a list with the timers that are due.</summary>
    public void FindDue(List<SimulatedTimer> due)
    {
        due.Clear();
        foreach (SimulatedTimer timer in _timers)
        {
            if (timer.Due <= _now)
            {
                due.Add(timer);
            }
        }
    }

    /// <summary>Forgets all timers: their process has ended.</summary>
    public void Clear() => _timers.Clear();

    internal void Set(SimulatedTimer timer, TimeSpan dueTime)
    {
        _timers.Remove(timer);
        timer.Due = dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : _now + dueTime.Ticks;
        if (timer.Due != long.MaxValue)
        {
            _timers.Add(timer);
        }
    }
}
