using System.Diagnostics;

namespace StorageCache.Waiting;

/// <summary>
/// One party waiting for one buffer: a pooled node of that buffer's list, woken either as a blocked thread or as the
/// continuation of an <c>await</c>.
/// </summary>
/// <remarks>
/// <para>
/// <b>Who may resume it.</b> A waiter is <i>armed</i> when it begins to wait. Whoever turns armed into resumed (one
/// interlocked operation) decides the outcome, and nobody else does: the one who grants, the one who fails the load, the
/// cancellation, the timer (W-3). Each arming has a generation, so that a timer that fires late finds itself outdated.
/// </para>
/// <para>
/// <b>Where it runs on.</b> Never inside a critical section: resumption is handed over by <see cref="Dispatch"/>, which is
/// called with no lock held (W-5).
/// </para>
/// </remarks>
internal abstract class Waiter
{
    private const long PhaseMask = 3;
    private const long Idle = 0;
    private const long Armed = 1;
    private const long Resumed = 2;
    private const long GenerationOne = 4;
    private const long NoDeadline = long.MaxValue;

    private readonly TimeProvider _time;
    private readonly PooledResumption _pooled;

    /// <summary>Generation and phase.</summary>
    private long _status;

    /// <summary>Set once cancellation was asked for, whatever the phase.</summary>
    private int _cancelRequested;

    /// <summary>When patience ends, in timestamps of the clock.</summary>
    private long _deadline = NoDeadline;

    /// <summary>When the pause ends that the waiter waits for, in timestamps of the clock.</summary>
    private long _pauseEnd = NoDeadline;

    private ManualResetEventSlim? _event;
    private ITimer? _timer;
    private CancellationTokenRegistration _registration;

    /// <param name="index">The waiter's place in its pool's table; not zero.</param>
    /// <param name="time">The clock.</param>
    /// <param name="pooled">The way to the thread pool.</param>
    protected Waiter(uint index, TimeProvider time, PooledResumption pooled)
    {
        Index = index;
        _time = time;
        _pooled = pooled;
    }

    /// <summary>The waiter's place in its pool's table: what a buffer head keeps.</summary>
    public uint Index { get; }

    /// <summary>Next waiter of the list, or null at its end. Guarded by the buffer's list lock.</summary>
    public Waiter? Next { get; set; }

    /// <summary>Previous waiter; the first one's is the last. Guarded by the buffer's list lock.</summary>
    public Waiter? Previous { get; set; }

    /// <summary>Whether the waiter stands in its buffer's list. Guarded by the buffer's list lock.</summary>
    public bool IsLinked { get; set; }

    /// <summary>How often others took the latch past this waiter while it stood first. Guarded by the list lock.</summary>
    public int Steals { get; set; }

    /// <summary>What the waiter waits for.</summary>
    public WaitMode Mode { get; protected set; }

    /// <summary>Whether the waiter is a blocked thread.</summary>
    public bool IsBlocking { get; protected set; }

    /// <summary>Whether the waiter goes on on the thread that resumes it, if it is not a blocked thread itself.</summary>
    public bool IsInline { get; protected set; }

    /// <summary>Why the waiter was resumed.</summary>
    public WaitOutcome Outcome { get; private set; }

    /// <summary>The failure behind <see cref="WaitOutcome.Failed"/>; null if it is that no frame came in time.</summary>
    public Exception? Error { get; private set; }

    /// <summary>The token that can cancel the wait.</summary>
    public CancellationToken Token { get; private set; }

    /// <summary>Link of the chain that <see cref="ReadyChain"/> builds.</summary>
    internal Waiter? NextReady { get; set; }

    /// <summary>Whether the waiter waits and nobody has resumed it.</summary>
    public bool IsArmed => (Volatile.Read(ref _status) & PhaseMask) == Armed;

    /// <summary>Tells this arming from every other one of the waiter.</summary>
    public long Ticket => Volatile.Read(ref _status) / GenerationOne;

    /// <summary>The ticket of the next arming. For whoever has the waiter to itself and is about to have it armed.</summary>
    public long NextTicket => Ticket + 1;

    /// <summary>Whether cancellation was asked for or the time is up.</summary>
    public bool IsAborted => Volatile.Read(ref _cancelRequested) != 0 || IsExpired;

    /// <summary>Whether cancellation was asked for.</summary>
    public bool IsCancelled => Volatile.Read(ref _cancelRequested) != 0;

    private bool IsExpired => _deadline != NoDeadline && _time.GetTimestamp() >= _deadline;

    /// <summary>
    /// Begins to wait. The list lock (or whatever orders the resumption) is held, so nobody resumes the waiter before it
    /// stands where it can be found.
    /// </summary>
    /// <param name="pauseEnd">
    /// When the wait ends by itself, in timestamps of the clock, if it is a pause. A blocked thread sees to that: it does not
    /// depend on a timer, and so not on the thread pool.
    /// </param>
    /// <returns>The <see cref="Ticket"/> of this arming.</returns>
    public long Arm(long pauseEnd = NoDeadline)
    {
        Debug.Assert(!IsArmed, "a waiter waits for one thing at a time (W-3)");
        Outcome = WaitOutcome.None;
        _pauseEnd = pauseEnd;
        _event?.Reset();
        long status = (_status & ~PhaseMask) + GenerationOne + Armed;
        Volatile.Write(ref _status, status);
        return status / GenerationOne;
    }

    /// <summary>
    /// Lets cancellation and time-out reach an armed waiter. Called after <see cref="Arm"/> with no lock held: what was
    /// asked for before the arming is noticed here. By then the waiter may have been resumed and belong to somebody else
    /// who is armed for something else, and whom this abort does not concern: the ticket tells.
    /// </summary>
    /// <param name="ticket">The <see cref="Ticket"/> of the arming.</param>
    public void Watch(long ticket)
    {
        if (IsAborted && TryResume(ticket, WaitOutcome.Aborted))
        {
            Dispatch();
        }
    }

    /// <summary>
    /// Claims the right to resume the waiter. True for exactly one caller per arming; that caller then calls
    /// <see cref="Dispatch"/> with no lock held.
    /// </summary>
    public bool TryResume(WaitOutcome outcome, Exception? error = null)
    {
        long status = Volatile.Read(ref _status);
        return (status & PhaseMask) == Armed && TryResumeAt(status, outcome, error);
    }

    /// <summary>As <see cref="TryResume(WaitOutcome, Exception?)"/>, if the waiter still waits for what it did at a <see cref="Ticket"/>.</summary>
    public bool TryResume(long ticket, WaitOutcome outcome, Exception? error = null) =>
        TryResumeAt((ticket * GenerationOne) + Armed, outcome, error);

    /// <summary>Hands a resumed waiter over to its thread or the thread pool, or (inline, and where that is allowed) runs it.</summary>
    public void Dispatch()
    {
        Debug.Assert((Volatile.Read(ref _status) & PhaseMask) == Resumed, "only a resumed waiter is dispatched (W-3)");
        if (IsBlocking)
        {
            Event.Set();
        }
        else if (IsInline && InlineResumption.IsAllowed)
        {
            InlineResumption.Run(this);
        }
        else
        {
            RunElsewhere();
        }
    }

    /// <summary>Has a resumed waiter that is no blocked thread go on on another thread.</summary>
    public virtual void RunElsewhere() => _pooled.Run(this);

    /// <summary>Blocks the calling thread until the waiter is resumed. Returns why.</summary>
    public WaitOutcome Block()
    {
        Debug.Assert(IsBlocking, "only a blocking waiter blocks");
        Debug.Assert((Volatile.Read(ref _status) & PhaseMask) != Idle, "a waiter is armed before it blocks");
        BlockingNotice.Announce();
        while (true)
        {
            long until = Math.Min(_deadline, _pauseEnd);
            if (until == NoDeadline)
            {
                Event.Wait();
                return Outcome;
            }

            TimeSpan left = _time.GetElapsedTime(_time.GetTimestamp(), until);
            int milliseconds = (int)Math.Clamp(Math.Ceiling(left.TotalMilliseconds), 0, int.MaxValue);
            if (Event.Wait(milliseconds))
            {
                return Outcome;
            }

            if (IsExpired && TryResume(WaitOutcome.Aborted))
            {
                return Outcome;
            }

            if (_time.GetTimestamp() >= _pauseEnd && TryResume(WaitOutcome.Retry))
            {
                return Outcome;
            }

            if (!IsArmed)
            {
                // Somebody else has resumed it and is about to set the event.
                Event.Wait();
                return Outcome;
            }
        }
    }

    /// <summary>Goes on after an asynchronous wait. No lock is held.</summary>
    public abstract void Run();

    /// <summary>Prepares the waiter for one acquisition.</summary>
    /// <param name="timeout">How long to wait in all; <see cref="Timeout.InfiniteTimeSpan"/> for ever.</param>
    /// <param name="token">What can cancel the wait.</param>
    protected void Prepare(TimeSpan timeout, CancellationToken token)
    {
        Debug.Assert(!IsLinked && Next is null && Previous is null, "a waiter is reused when no list holds it (W-2)");
        Steals = 0;
        Outcome = WaitOutcome.None;
        Error = null;
        Token = token;
        Volatile.Write(ref _cancelRequested, 0);
        _deadline = timeout == Timeout.InfiniteTimeSpan
            ? NoDeadline
            : _time.GetTimestamp() + (long)(timeout.TotalSeconds * _time.TimestampFrequency);
        if (IsBlocking)
        {
            return;
        }

        if (_deadline != NoDeadline)
        {
            _timer ??= _time.CreateTimer(static state => ((Waiter)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(timeout, Timeout.InfiniteTimeSpan);
        }

        if (token.CanBeCanceled)
        {
            _registration = token.UnsafeRegister(static state => ((Waiter)state!).OnCancelled(), this);
        }
    }

    /// <summary>
    /// Ends the acquisition. Afterwards no cancellation can reach the waiter: disposing of the registration waits for a
    /// callback that is running.
    /// </summary>
    protected void Finish()
    {
        _registration.Dispose();
        _registration = default;
        if (_deadline != NoDeadline)
        {
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _deadline = NoDeadline;
        }

        Token = default;
        Error = null;
        Volatile.Write(ref _status, (_status & ~PhaseMask) + Idle);
    }

    private ManualResetEventSlim Event => _event ?? MakeEvent();

    private ManualResetEventSlim MakeEvent()
    {
        Interlocked.CompareExchange(ref _event, new ManualResetEventSlim(false), null);
        return _event;
    }

    private bool TryResumeAt(long status, WaitOutcome outcome, Exception? error)
    {
        if (Interlocked.CompareExchange(ref _status, (status & ~PhaseMask) + Resumed, status) != status)
        {
            return false;
        }

        Outcome = outcome;
        Error = error;
        return true;
    }

    private void OnCancelled()
    {
        Volatile.Write(ref _cancelRequested, 1);
        Interlocked.MemoryBarrier();
        if (TryResume(WaitOutcome.Aborted))
        {
            Dispatch();
        }
    }

    private void OnTimer()
    {
        while (true)
        {
            // The generation is read before the deadline: if it still stands at the end, the deadline was its own.
            long status = Volatile.Read(ref _status);
            long deadline = Volatile.Read(ref _deadline);
            if (deadline == NoDeadline)
            {
                return;
            }

            long now = _time.GetTimestamp();
            if (now >= deadline)
            {
                if ((status & PhaseMask) == Armed && TryResumeAt(status, WaitOutcome.Aborted, null))
                {
                    Dispatch();
                }

                return;
            }

            // Timers may run ahead of the timestamps by their own grain, or have been set for an earlier use of the waiter.
            TimeSpan left = _time.GetElapsedTime(now, deadline) + TimeSpan.FromMilliseconds(1);
            _timer!.Change(left, Timeout.InfiniteTimeSpan);
            if (Volatile.Read(ref _deadline) == deadline)
            {
                return;
            }

            // The waiter is used anew, and the timer perhaps set for the time that was left before.
        }
    }
}
