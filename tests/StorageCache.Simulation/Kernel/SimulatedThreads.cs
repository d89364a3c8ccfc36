using StorageCache.Platform;

namespace StorageCache.Simulation.Kernel;

/// <summary>The background work of everything in one process of the simulation. Not thread-safe.</summary>
internal sealed class SimulatedThreads(SimulatedClock clock) : IBackgroundThreads
{
    private readonly List<SimulatedThread> _threads = [];
    private readonly List<(Action Action, TaskCompletionSource Ended)> _apart = [];

    /// <inheritdoc/>
    public TimeProvider Clock => clock;

    /// <summary>None: the clock stands still while work takes its turn.</summary>
    public TimeSpan ProcessorTime => TimeSpan.Zero;

    /// <summary>When the next turn is due, in ticks; <see cref="long.MaxValue"/> for never.</summary>
    public long NextDue
    {
        get
        {
            long next = _apart.Count > 0 ? 0 : long.MaxValue;
            foreach (SimulatedThread thread in _threads)
            {
                next = Math.Min(next, thread.Due);
            }

            return next;
        }
    }

    /// <summary>How many actions wait to be run apart.</summary>
    public int Apart => _apart.Count;

    /// <inheritdoc/>
    public IBackgroundThread Create(string name, IBackgroundWork work, ThreadPriority priority = ThreadPriority.Normal) =>
        new SimulatedThread(this, name, work);

    /// <inheritdoc/>
    public Task RunApart(Action action)
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _apart.Add((action, ended));
        return ended.Task;
    }

    /// <summary>Runs what has waited longest to be run apart.</summary>
    public void RunFirstApart()
    {
        (Action action, TaskCompletionSource ended) = _apart[0];
        _apart.RemoveAt(0);
        try
        {
            action();
            ended.SetResult();
        }
        catch (Exception error)
        {
            ended.SetException(error);
        }
    }

    /// <summary>Fills a list with the threads whose turn is due.</summary>
    public void FindDue(List<SimulatedThread> due)
    {
        due.Clear();
        foreach (SimulatedThread thread in _threads)
        {
            if (thread.Due <= clock.Now)
            {
                due.Add(thread);
            }
        }
    }

    /// <summary>Forgets everything: the process has ended.</summary>
    public void Clear()
    {
        _threads.Clear();
        _apart.Clear();
    }

    internal void Add(SimulatedThread thread) => _threads.Add(thread);

    internal void Remove(SimulatedThread thread) => _threads.Remove(thread);
}
