namespace StorageCache.Tests.Stress;

/// <summary>
/// A log whose end is moved by those who append, and which becomes durable behind it, now and then, by a thread of its own; and fails for a
/// while now and then.
/// </summary>
internal sealed class LaggingLog : IWriteAheadLog, IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<(ulong Lsn, TaskCompletionSource Source)> _waiting = [];
    private readonly Random _random;
    private readonly Thread _thread;
    private ulong _end;
    private ulong _durable;
    private int _failing;
    private volatile bool _stop;

    public LaggingLog(int seed)
    {
        _random = new Random(seed);
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>What was asked of the log that nobody may ask for.</summary>
    public string? Complaint { get; private set; }

    /// <summary>Whether the log never fails, and lags no more than it has to.</summary>
    public bool IsGood { get; set; }

    public ulong DurableLsn => Volatile.Read(ref _durable);

    /// <summary>Appends a record. Returns its number.</summary>
    public ulong Append() => Interlocked.Increment(ref _end);

    public ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken)
    {
        if (lsn == 0 || lsn > Volatile.Read(ref _end))
        {
            Complaint ??= $"the log ends at {Volatile.Read(ref _end)} and was to be durable up to {lsn}";
        }

        if (!IsGood && Volatile.Read(ref _failing) > 0)
        {
            return lsn % 2 == 0 ? throw new IOException("the log fails") : ValueTask.FromException(new InvalidOperationException("the log fails"));
        }

        lock (_lock)
        {
            if (lsn <= _durable)
            {
                return default;
            }

            TaskCompletionSource source = new(lsn % 3 == 0 ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((lsn, source));
            return new ValueTask(source.Task);
        }
    }

    public void Dispose()
    {
        IsGood = true;
        _stop = true;
        _thread.Join();
    }

    private void Run()
    {
        while (!_stop)
        {
            if (_random.Next(IsGood ? 1 : 4) == 0)
            {
                Thread.Sleep(IsGood ? 0 : _random.Next(3));
            }

            Volatile.Write(ref _failing, !IsGood && _random.Next(20) == 0 ? 1 : 0);
            List<(ulong Lsn, TaskCompletionSource Source)> done;
            lock (_lock)
            {
                ulong end = Volatile.Read(ref _end);
                ulong to = IsGood ? end : _durable + (ulong)_random.NextInt64((long)(end - _durable) + 1);
                Volatile.Write(ref _durable, to);
                done = _waiting.FindAll(item => item.Lsn <= to);
                _waiting.RemoveAll(item => item.Lsn <= to);
            }

            foreach ((ulong lsn, TaskCompletionSource source) in done)
            {
                if (!IsGood && lsn % 17 == 0)
                {
                    source.TrySetException(new IOException("the log failed late"));
                }
                else
                {
                    source.TrySetResult();
                }
            }

            Thread.Yield();
        }
    }
}
