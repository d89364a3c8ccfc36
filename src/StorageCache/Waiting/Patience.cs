namespace StorageCache.Waiting;

/// <summary>
/// How long somebody waits for others in all, in several waits: only the time spent in them counts, not that of the work in
/// between. Not thread-safe.
/// </summary>
internal sealed class Patience
{
    private readonly TimeProvider _time;
    private TimeSpan _left;

    /// <param name="time">The clock.</param>
    /// <param name="total">How long in all; may be infinite.</param>
    public Patience(TimeProvider time, TimeSpan total)
    {
        _time = time;
        _left = total;
    }

    /// <summary>What is left: above zero (the last wait is a short one), or infinite.</summary>
    public TimeSpan Left => _left == Timeout.InfiniteTimeSpan || _left > TimeSpan.Zero ? _left : TimeSpan.FromMilliseconds(1);

    /// <summary>Whether nothing is left.</summary>
    public bool IsExhausted => _left != Timeout.InfiniteTimeSpan && _left <= TimeSpan.Zero;

    /// <summary>Takes off the time of a wait that ends now.</summary>
    /// <param name="begun">When it began, in timestamps of the clock.</param>
    public void Spend(long begun)
    {
        if (_left != Timeout.InfiniteTimeSpan)
        {
            _left -= _time.GetElapsedTime(begun);
        }
    }
}
