using StorageCache.Platform;

namespace StorageCache.Simulation.Kernel;

/// <summary>Background work of a cache that takes its turns when the driver says so. Not thread-safe.</summary>
internal sealed class SimulatedThread(SimulatedThreads threads, string name, IBackgroundWork work) : IBackgroundThread
{
    /// <summary>More turns than any work needs to end.</summary>
    private const int LastTurns = 100_000;

    private bool _woken;
    private bool _runs;

    /// <summary>What the trace calls it.</summary>
    public string Name => name;

    /// <summary>When the next turn is due, in ticks of the clock: now, if the thread has been woken; <see cref="long.MaxValue"/> for never.</summary>
    public long Due { get; private set; } = long.MaxValue;

    /// <inheritdoc/>
    public void Start()
    {
        _runs = true;
        threads.Add(this);
        Rest();
    }

    /// <inheritdoc/>
    public void Wake()
    {
        _woken = true;
        if (_runs)
        {
            Due = 0;
        }
    }

    /// <inheritdoc/>
    public void End()
    {
        for (int turns = 0; _runs; turns++)
        {
            if (turns == LastTurns)
            {
                throw new ViolationException($"'{name}' does not end.");
            }

            _woken = true;
            TakeTurn();
        }
    }

    /// <summary>Gives the work one turn.</summary>
    public void TakeTurn()
    {
        bool woken = _woken;
        _woken = false;
        if (work.TakeTurn(woken))
        {
            Rest();
        }
        else
        {
            _runs = false;
            threads.Remove(this);
        }
    }

    private void Rest()
    {
        TimeSpan rest = work.Rest;
        if (_woken || rest == TimeSpan.Zero)
        {
            _woken = true;
            Due = 0;
        }
        else
        {
            Due = rest == Timeout.InfiniteTimeSpan ? long.MaxValue : threads.Clock.GetTimestamp() + rest.Ticks;
        }
    }
}
