namespace StorageCache.Writeback;

/// <summary>Spreads the writes of a checkpoint over time. Not thread-safe.</summary>
internal sealed class CheckpointPace
{
    /// <summary>What is written at once is worth this time, and nobody sleeps longer before looking up.</summary>
    private static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(100);

    /// <summary>The shortest time that a timer measures.</summary>
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(1);

    private readonly CacheCore _core;
    private readonly TimeProvider _time;
    private readonly long _begun;

    /// <summary>Pages a second; 0 for no limit.</summary>
    private readonly double _rate;

    /// <param name="core">What the checkpoint is of.</param>
    /// <param name="options">How fast it is to be.</param>
    /// <param name="pages">How many pages it is to write.</param>
    public CheckpointPace(CacheCore core, CheckpointOptions options, long pages)
    {
        _core = core;
        _time = core.Options.TimeProvider;
        _begun = _time.GetTimestamp();
        double byTime = options.Duration > TimeSpan.Zero ? pages / options.Duration.TotalSeconds : 0;
        double byBytes = (double)options.BytesPerSecond / core.PageSize;
        _rate = byTime == 0 ? byBytes : byBytes == 0 ? byTime : Math.Min(byTime, byBytes);
    }

    /// <summary>The most pages to write before the next <see cref="WaitAsync"/>, 1 or more.</summary>
    public long PagesAtOnce => _rate == 0 ? long.MaxValue : Math.Max(1, (long)(_rate * s_step.TotalSeconds));

    /// <summary>
    /// Waits until it is time to go on. Not while writers are paused for the dirt there is: a checkpoint takes that away.
    /// </summary>
    /// <param name="pagesDone">How many pages have been written since the beginning.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task WaitAsync(long pagesDone, CancellationToken cancellationToken)
    {
        if (_rate == 0)
        {
            return;
        }

        TimeSpan due = TimeSpan.FromSeconds(Math.Min(pagesDone / _rate, TimeSpan.FromDays(7).TotalSeconds));
        while (!_core.WriteBack.Throttle.IsActive)
        {
            TimeSpan left = due - _time.GetElapsedTime(_begun);
            if (left <= TimeSpan.Zero)
            {
                return;
            }

            // A part of a millisecond is no delay at all for a timer, and this thread is not to spin.
            TimeSpan delay = left < s_tick ? s_tick : left < s_step ? left : s_step;
            await Task.Delay(delay, _time, cancellationToken).ConfigureAwait(true);
        }
    }
}
