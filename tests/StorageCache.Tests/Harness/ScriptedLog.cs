namespace StorageCache.Tests.Harness;

/// <summary>A log that does as a test says: is durable at once, when told, not at all, or says so and is not.</summary>
internal sealed class ScriptedLog : IWriteAheadLog
{
    private readonly Lock _lock = new();
    private readonly List<ulong> _requests = [];
    private readonly List<(ulong Lsn, TaskCompletionSource Source)> _held = [];
    private ulong _durable;
    private int _pending;

    /// <summary>What a request fails with, or null; asked when the request comes.</summary>
    public Func<ulong, Exception?>? Fault { get; set; }

    /// <summary>Whether <see cref="Fault"/> is thrown by the call, and not by what it gives.</summary>
    public bool ThrowsAtOnce { get; set; }

    /// <summary>Whether requests wait for <see cref="MakeDurable"/>.</summary>
    public bool Holds { get; set; }

    /// <summary>Whether requests end well and leave the log as it was.</summary>
    public bool Lies { get; set; }

    /// <summary>What asking for <see cref="DurableLsn"/> throws.</summary>
    public Exception? DurableFault { get; set; }

    /// <summary>Whether those who wait go on in the middle of what the log does.</summary>
    public bool CompletesInline { get; init; }

    /// <summary>The most requests that were under way at once.</summary>
    public int MostPending { get; private set; }

    public int Pending => Volatile.Read(ref _pending);

    public ulong DurableLsn => DurableFault is null ? Volatile.Read(ref _durable) : throw DurableFault;

    public IReadOnlyList<ulong> Requests
    {
        get
        {
            lock (_lock)
            {
                return [.. _requests];
            }
        }
    }

    public ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken)
    {
        Exception? fault = Fault?.Invoke(lsn);
        Task held;
        lock (_lock)
        {
            _requests.Add(lsn);
            if (fault is not null)
            {
                return ThrowsAtOnce ? throw fault : ValueTask.FromException(fault);
            }

            if (Lies)
            {
                return default;
            }

            if (!Holds || lsn <= _durable)
            {
                Volatile.Write(ref _durable, Math.Max(_durable, lsn));
                return default;
            }

            TaskCompletionSource source = new(CompletesInline ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
            _held.Add((lsn, source));
            MostPending = Math.Max(MostPending, Interlocked.Increment(ref _pending));
            held = source.Task;
        }

        return new ValueTask(held);
    }

    /// <summary>Makes the log durable up to a number, and ends the requests that have waited for no more.</summary>
    public void MakeDurable(ulong lsn) => End(lsn, error: null, isDurable: true);

    /// <summary>Ends the requests up to a number and leaves the log as it was.</summary>
    public void Answer(ulong lsn, Exception? error) => End(lsn, error, isDurable: false);

    /// <summary>Waits until a number of requests is held.</summary>
    public void WaitForPending(int count) => Wait.Until(() => Pending >= count, $"{count} requests to the log");

    /// <summary>Does as a good log does from now on, and ends what is held.</summary>
    public void LetGo()
    {
        Fault = null;
        Lies = false;
        Holds = false;
        DurableFault = null;
        MakeDurable(Requests.Append(1UL).Max());
    }

    private void End(ulong lsn, Exception? error, bool isDurable)
    {
        List<(ulong Lsn, TaskCompletionSource Source)> done;
        lock (_lock)
        {
            if (isDurable)
            {
                Volatile.Write(ref _durable, Math.Max(_durable, lsn));
            }

            done = _held.FindAll(item => item.Lsn <= lsn);
            _held.RemoveAll(item => item.Lsn <= lsn);
            Interlocked.Add(ref _pending, -done.Count);
        }

        foreach ((_, TaskCompletionSource source) in done)
        {
            if (error is null)
            {
                source.SetResult();
            }
            else
            {
                source.SetException(error);
            }
        }
    }
}
