using StorageCache.Mappings;
using StorageCache.Waiting;

namespace StorageCache.Writeback;

/// <summary>
/// Pauses writers while too many pages are dirty. The nearer dirt comes to its limit, the longer a pause may last, but it
/// is always bounded: a writer may hold latches that write-back needs, so waiting for less dirt without end could be
/// waiting for oneself (WB-6). A page that is dirty already can be written without a pause. Thread-safe.
/// </summary>
internal sealed class DirtyThrottle : IDisposable
{
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMilliseconds(100);

    /// <summary>How late a pause of somebody who awaits may end.</summary>
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(5);

    private readonly CacheCore _core;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly List<(PageWaiter Waiter, long Ticket, long Until)> _paused = [];
    private readonly ITimer _timer;
    private long _pagesLimit;
    private long _pagesStart;
    private bool _isActive;
    private bool _isDisposed;

    /// <summary>When the timer fires to end pauses, in the clock's time stamps; the end of time if it is not set.</summary>
    private long _nextTick = long.MaxValue;

    /// <summary>Not 0 if pauses are to end when whoever made the last page clean has left its locks.</summary>
    private int _isDue;

    public DirtyThrottle(CacheCore core)
    {
        _core = core;
        _time = core.Options.TimeProvider;
        _timer = _time.CreateTimer(static state => ((DirtyThrottle)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether dirt has reached the point from which writers are paused.</summary>
    public bool IsActive => Volatile.Read(ref _isActive);

    /// <summary>Sets from how many dirty pages writers are paused, and at how many the pause is longest.</summary>
    public void SetLimits(long start, long limit)
    {
        _pagesStart = start;
        _pagesLimit = Math.Max(limit, start + 1);
        OnDirtyChanged(_core.Counters.DirtyPages, releases: false);
    }

    /// <summary>Notes how many pages are dirty.</summary>
    /// <param name="dirtyPages">How many.</param>
    /// <param name="releases">
    /// Whether the caller calls <see cref="ReleaseDue"/> afterwards; otherwise pauses end on another thread, by way of a timer, which costs
    /// more than a write does.
    /// </param>
    public void OnDirtyChanged(long dirtyPages, bool releases)
    {
        bool active = dirtyPages >= _pagesStart;
        if (active == IsActive)
        {
            return;
        }

        Volatile.Write(ref _isActive, active);
        if (active)
        {
            return;
        }

        // Not here: the caller may hold a list lock, and those who are released may run at once (W-5).
        if (releases)
        {
            Volatile.Write(ref _isDue, 1);
        }
        else
        {
            lock (_lock)
            {
                _nextTick = 0;
                _timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Whether a writer is to be paused.</summary>
    /// <param name="mapping">Where it writes.</param>
    /// <param name="isDirty">Whether its page is dirty already.</param>
    public bool HoldsBack(Mapping mapping, bool isDirty) =>
        // While writes fail, no pause makes pages clean: a writer is to find out at the next flush, or when frames run out.
        IsActive && !mapping.IsHeldDirty && !isDirty;

    /// <summary>Ends the pauses if there is no reason for them any more. No lock is held.</summary>
    public void ReleaseDue()
    {
        if (Volatile.Read(ref _isDue) != 0 && Interlocked.Exchange(ref _isDue, 0) != 0)
        {
            Release();
        }
    }

    /// <summary>Pauses a waiter that is about to dirty a clean page. Returns whether it is paused, and armed.</summary>
    public bool TryPause(PageWaiter waiter)
    {
        if (!IsActive || !HoldsBack(waiter.Mapping, waiter.Mapping.IsDirty(waiter.Page)))
        {
            return false;
        }

        waiter.WasThrottled = true;
        double part = (double)(_core.Counters.DirtyPages - _pagesStart) / (_pagesLimit - _pagesStart);
        TimeSpan pause = s_longestPause * Math.Clamp(part, 0.01, 1);
        _core.Counters.Throttled();
        _core.WriteBack.Kick(urgent: false);
        lock (_lock)
        {
            if (_isDisposed)
            {
                return false;
            }

            // Cancellation may resume the waiter from here on, and it may wait for something else before it is listed; its
            // ticket tells.
            long until = _time.GetTimestamp() + (long)(pause.TotalSeconds * _time.TimestampFrequency);
            _paused.Add((waiter, waiter.Arm(until), until));
            SetTimer(isAwaited: !waiter.IsBlocking);
        }

        return true;
    }

    /// <summary>Ends all pauses, and allows no more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
        }

        _timer.Dispose();
        Release();
    }

    private void OnTimer()
    {
        lock (_lock)
        {
            _nextTick = long.MaxValue;
        }

        Release();
    }

    /// <summary>
    /// Has the timer fire in time for those who are paused, unless it is to fire sooner anyhow. A thread that blocks keeps the time itself;
    /// for its sake the list is only to be looked through now and then. The lock is held.
    /// </summary>
    /// <param name="isAwaited">Whether a pause is awaited, and not blocked for.</param>
    private void SetTimer(bool isAwaited)
    {
        TimeSpan after = isAwaited ? s_tick : s_longestPause;
        long due = _time.GetTimestamp() + (long)(after.TotalSeconds * _time.TimestampFrequency);
        if (due < _nextTick)
        {
            _nextTick = due;
            _timer.Change(after, Timeout.InfiniteTimeSpan);
        }
    }

    private void Release()
    {
        ReadyChain ready = default;
        lock (_lock)
        {
            long now = _time.GetTimestamp();
            bool all = _isDisposed || !IsActive;
            for (int i = _paused.Count - 1; i >= 0; i--)
            {
                (PageWaiter waiter, long ticket, long until) = _paused[i];
                if (all || now >= until)
                {
                    _paused.RemoveAt(i);
                    if (waiter.TryResume(ticket, WaitOutcome.Retry))
                    {
                        ready.Add(waiter);
                    }
                }
            }

            if (_paused.Count > 0 && !_isDisposed)
            {
                SetTimer(isAwaited: _paused.Exists(static pause => !pause.Waiter.IsBlocking));
            }
        }

        ready.Dispatch();
    }
}
