namespace StorageCache.Writeback;

/// <summary>
/// The writes of one mapping that are under way, in the order in which they began, and those who wait for all that had
/// begun at some moment. Thread-safe.
/// </summary>
internal sealed class WriteTracker
{
    private readonly Lock _lock = new();
    private readonly List<(long Sequence, TaskCompletionSource Done)> _waiters = [];
    private WriteRun? _oldest;
    private WriteRun? _newest;
    private long _sequence;

    /// <summary>The lowest number of a change that a write under way takes along; 0 if none is logged.</summary>
    public ulong OldestLsn
    {
        get
        {
            ulong oldest = 0;
            lock (_lock)
            {
                for (WriteRun? run = _oldest; run is not null; run = run.NextInFlight)
                {
                    oldest = DurabilityBound.Lower(oldest, run.OldestLsn);
                }
            }

            return oldest;
        }
    }

    /// <summary>
    /// Enters a write, before the first of its pages loses its dirty tag: whoever finds no tag finds the write (WB-3).
    /// </summary>
    public void Begin(WriteRun run)
    {
        lock (_lock)
        {
            run.Sequence = ++_sequence;
            run.NextInFlight = null;
            run.PreviousInFlight = _newest;
            if (_newest is null)
            {
                Volatile.Write(ref _oldest, run);
            }
            else
            {
                _newest.NextInFlight = run;
            }

            _newest = run;
        }
    }

    /// <summary>
    /// Enters a write that carries on a part of one that is under way, in that one's place: whoever waits for the larger
    /// one waits for its parts (WB-3).
    /// </summary>
    public void BeginPart(WriteRun part, WriteRun whole)
    {
        lock (_lock)
        {
            part.Sequence = whole.Sequence;
            part.PreviousInFlight = whole;
            part.NextInFlight = whole.NextInFlight;
            if (whole.NextInFlight is null)
            {
                _newest = part;
            }
            else
            {
                whole.NextInFlight.PreviousInFlight = part;
            }

            whole.NextInFlight = part;
        }
    }

    /// <summary>Takes a write out once it has ended.</summary>
    public void End(WriteRun run)
    {
        List<TaskCompletionSource>? done = null;
        lock (_lock)
        {
            WriteRun? next = run.NextInFlight;
            WriteRun? previous = run.PreviousInFlight;
            if (previous is null)
            {
                Volatile.Write(ref _oldest, next);
            }
            else
            {
                previous.NextInFlight = next;
            }

            if (next is null)
            {
                _newest = previous;
            }
            else
            {
                next.PreviousInFlight = previous;
            }

            run.NextInFlight = null;
            run.PreviousInFlight = null;
            long reached = _oldest is null ? long.MaxValue : _oldest.Sequence - 1;
            for (int i = _waiters.Count - 1; i >= 0; i--)
            {
                if (_waiters[i].Sequence <= reached)
                {
                    (done ??= []).Add(_waiters[i].Done);
                    _waiters.RemoveAt(i);
                }
            }
        }

        if (done is null)
        {
            return;
        }

        foreach (TaskCompletionSource source in done)
        {
            source.SetResult();
        }
    }

    /// <summary>Completes when every write that is under way now has ended.</summary>
    public Task WhenEnded()
    {
        lock (_lock)
        {
            if (_oldest is null)
            {
                return Task.CompletedTask;
            }

            // What awaits it goes on on the cache's own thread, and so needs no hop by way of the thread pool (T-1).
            var source = new TaskCompletionSource();
            _waiters.Add((_sequence, source));
            return source.Task;
        }
    }
}
