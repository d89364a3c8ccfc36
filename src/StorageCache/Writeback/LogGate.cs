using System.Runtime.CompilerServices;
using StorageCache.IO;
using StorageCache.Platform;

namespace StorageCache.Writeback;

/// <summary>
/// One mapping's way to the log of the engine above: up to where it is durable, and the request that it be so for the sake of the background
/// flusher, of which there is one at a time. The log may be anybody's: whatever it throws fails what it was asked for, and gets no further
/// (WB-17). Thread-safe.
/// </summary>
internal sealed class LogGate : IThreadPoolWorkItem
{
    private static readonly TimeSpan s_firstRetry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_lastRetry = TimeSpan.FromSeconds(30);

    private readonly Mapping _mapping;
    private readonly CacheCore _core;
    private readonly Lock _lock = new();
    private readonly Action _onAnswered;

    /// <summary>The highest number that the log has said is durable.</summary>
    private ulong _durable;

    /// <summary>The highest number that the flusher has been held up by.</summary>
    private ulong _wanted;

    /// <summary>What the request under way is for. Written before the request is queued.</summary>
    private ulong _asked;

    /// <summary>The answer to it, once there is one.</summary>
    private ValueTaskAwaiter _answer;

    private bool _hasAnswer;
    private bool _isAsking;

    /// <summary>Whether whoever waits for the request is short of memory, or writes everything.</summary>
    private bool _isUrgent;

    /// <summary>Whether the flusher's next round is one that the gate has caused.</summary>
    private bool _isFollowed;

    private bool _isFailing;
    private TimeSpan _retryAfter = s_firstRetry;
    private long _retryAt;

    public LogGate(Mapping mapping, IWriteAheadLog log)
    {
        _mapping = mapping;
        _core = mapping.Core;
        _onAnswered = OnAnswered;
        Log = log;
    }

    /// <summary>The log.</summary>
    public IWriteAheadLog Log { get; }

    /// <summary>Up to where the log is known to be durable. Takes no lock and runs no foreign code.</summary>
    public ulong Durable => Volatile.Read(ref _durable);

    /// <summary>Whether the log failed a short while ago, so that the flusher does not ask it.</summary>
    public bool IsBackingOff => _core.Options.TimeProvider.GetTimestamp() < Volatile.Read(ref _retryAt);

    /// <summary>Asks the log up to where it is durable. No lock is held.</summary>
    public void Refresh()
    {
        try
        {
            Read();
        }
        catch (Exception)
        {
            // What it said before holds still. Whoever needs more asks for it, and is told then.
        }
    }

    /// <summary>Notes that a write was held up by the log. A list lock may be held.</summary>
    public void Want(ulong lsn) => Raise(ref _wanted, lsn);

    /// <summary>Has the log made durable what the flusher has been held up by, which is woken then. Returns at once. No lock is held.</summary>
    /// <param name="urgent">Whether the flusher is to write everything then, however few pages are dirty.</param>
    public void Ask(bool urgent)
    {
        lock (_lock)
        {
            ulong wanted = Volatile.Read(ref _wanted);
            if (wanted <= Durable)
            {
                return;
            }

            // In a round that the gate has caused the others are changed still. If that led to another one, and so on, the flusher would
            // write whatever is dirty for as long as anybody writes.
            _isUrgent |= urgent && !_isFollowed;
            _isFollowed = false;
            if (_isAsking || IsBackingOff)
            {
                return;
            }

            _isAsking = true;
            _asked = wanted;
        }

        _core.Counters.WaitedForLog();

        // Not on the flusher's thread, however patient the log is with those who come to it.
        _core.OwnThread.Enqueue(this);
    }

    /// <summary>Has the log made durable up to a number. Fails as it does, whatever that is.</summary>
    /// <param name="lsn">The number.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task EnsureAsync(ulong lsn, CancellationToken cancellationToken)
    {
        Refresh();
        if (lsn <= Durable)
        {
            return;
        }

        _core.Counters.WaitedForLog();
        try
        {
            Task answer = Call(lsn, cancellationToken).AsTask();
            await answer.WaitAsync(cancellationToken).ConfigureAwait(true);
            Verify(lsn);
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            NoteFailure(error);
            throw;
        }

        NoteSuccess();
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute()
    {
        try
        {
            if (!_hasAnswer)
            {
                _answer = Call(_asked, CancellationToken.None).GetAwaiter();
                if (!_answer.IsCompleted)
                {
                    WaitForAnswer();
                    return;
                }
            }

            _hasAnswer = false;
            _answer.GetResult();
            Verify(_asked);
        }
        catch (Exception error)
        {
            _hasAnswer = false;
            _answer = default;
            OnFailed(error);
            return;
        }

        _answer = default;
        OnDurable();
    }

    private void WaitForAnswer()
    {
        using OwnThread.Absence absence = OwnThread.Leave();
        _answer.UnsafeOnCompleted(_onAnswered);
    }

    /// <summary>Comes on whatever thread the log has for it, in whatever it is doing: the rest is done elsewhere.</summary>
    private void OnAnswered()
    {
        _hasAnswer = true;
        _core.OwnThread.Enqueue(this);
    }

    private void OnDurable()
    {
        bool urgent;
        bool goesOn;
        NoteSuccess();
        lock (_lock)
        {
            urgent = _isUrgent;
            _isUrgent = false;
            _isFollowed = urgent;
            ulong wanted = Volatile.Read(ref _wanted);
            goesOn = wanted > Durable;
            _isAsking = goesOn;
            _asked = wanted;
        }

        _core.WriteBack.Kick(urgent);
        if (goesOn)
        {
            // From the start, and not from within: a log that is quick does not keep the thread from others.
            _core.Counters.WaitedForLog();
            _core.OwnThread.Enqueue(this);
        }
    }

    private void OnFailed(Exception error)
    {
        NoteFailure(error);
        lock (_lock)
        {
            // The next round finds out what is still held up.
            Volatile.Write(ref _wanted, 0);
            _isAsking = false;
            _isUrgent = false;
            _isFollowed = false;
        }
    }

    private void NoteFailure(Exception error)
    {
        lock (_lock)
        {
            if (!_isFailing)
            {
                _isFailing = true;
                _core.Health.Raise(HealthEventKind.LogFailed, _mapping, page: null, error);
            }

            // Not for what fails meanwhile, of a flush, which asks at once: that is the same trouble.
            TimeProvider time = _core.Options.TimeProvider;
            long now = time.GetTimestamp();
            if (now >= _retryAt)
            {
                Volatile.Write(ref _retryAt, now + (long)(_retryAfter.TotalSeconds * time.TimestampFrequency));
                _retryAfter = _retryAfter * 2 > s_lastRetry ? s_lastRetry : _retryAfter * 2;
            }
        }

        // Last: whoever sees that it has failed sees that it is left alone.
        _core.Counters.LogFailed();
    }

    private void NoteSuccess()
    {
        if (!Volatile.Read(ref _isFailing))
        {
            return;
        }

        lock (_lock)
        {
            if (_isFailing)
            {
                _isFailing = false;
                _retryAfter = s_firstRetry;
                Volatile.Write(ref _retryAt, 0);
                _core.Health.Raise(HealthEventKind.LogRecovered, _mapping, page: null, error: null);
            }
        }
    }

    private ValueTask Call(ulong lsn, CancellationToken cancellationToken)
    {
        using OwnThread.Absence absence = OwnThread.Leave();
        using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
        return Log.EnsureDurableAsync(lsn, cancellationToken);
    }

    private void Read()
    {
        using OwnThread.Absence absence = OwnThread.Leave();
        using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
        Raise(ref _durable, Log.DurableLsn);
    }

    /// <summary>Sees that a log that has ended a call without an exception has done what it says.</summary>
    private void Verify(ulong lsn)
    {
        Read();
        if (Durable < lsn)
        {
            throw new InvalidOperationException($"The log was asked to be durable up to {lsn} and has not failed, but says that it is up to {Durable}.");
        }
    }

    private static void Raise(ref ulong value, ulong to)
    {
        ulong seen = Volatile.Read(ref value);
        while (seen < to)
        {
            ulong before = Interlocked.CompareExchange(ref value, to, seen);
            if (before == seen)
            {
                return;
            }

            seen = before;
        }
    }
}
