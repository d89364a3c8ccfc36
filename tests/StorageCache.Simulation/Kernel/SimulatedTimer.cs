namespace StorageCache.Simulation.Kernel;

/// <summary>A timer of a <see cref="SimulatedClock"/>. Not thread-safe.</summary>
internal sealed class SimulatedTimer(SimulatedClock clock, TimerCallback callback, object? state) : ITimer
{
    private TimeSpan _period = Timeout.InfiniteTimeSpan;

    /// <summary>When the timer is due, in ticks of the clock; <see cref="long.MaxValue"/> if it is not set.</summary>
    public long Due { get; set; } = long.MaxValue;

    /// <summary>Runs what the timer is for.</summary>
    public void Fire()
    {
        clock.Set(this, _period);
        callback(state);
    }

    /// <inheritdoc/>
    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        _period = period == TimeSpan.Zero ? Timeout.InfiniteTimeSpan : period;
        clock.Set(this, dueTime);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => clock.Set(this, Timeout.InfiniteTimeSpan);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }
}
