namespace StorageCache.Simulation.Kernel;

/// <summary>
/// Runs one seed of a scenario: draws what happens next, over and over, until the system has lived its lives or has not done what it
/// promises.
/// </summary>
/// <remarks>
/// It is an item of work of a thread pool that has one thread, and everything else runs on that thread too: before it lets the next thing
/// happen, it stands in the pool's line again until nothing else does (SIM-2).
/// </remarks>
internal sealed class Driver : IThreadPoolWorkItem
{
    /// <summary>What may happen from when faults have ended until the system is live again.</summary>
    private const int QuietEventsAtMost = 100_000;

    /// <summary>Of a thousand lives how many end without a loss of power, if the scenario has that.</summary>
    private const int ProcessEndPerMille = 250;

    private static readonly int s_kinds = Enum.GetValues<EventKind>().Length;
    private static readonly long s_longestStep = TimeSpan.FromMilliseconds(20).Ticks;

    private readonly ulong _seed;
    private readonly World _world;
    private readonly IScenarioRun _run;
    private readonly TaskCompletionSource<SimulationResult> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int[] _weights = new int[s_kinds];
    private readonly List<Operation> _operations = [];
    private readonly List<SimulatedThread> _dueThreads = [];
    private readonly List<SimulatedTimer> _dueTimers = [];
    private readonly int _clients;
    private readonly long _eventsPerLife;
    private readonly bool _endsProcesses;
    private int _livesLeft;
    private long _eventsLeft;
    private long _begun;
    private bool _isQuiet;

    /// <summary>The opening of this life, until it is over; null while operations may begin.</summary>
    private Task? _opening;

    /// <summary>The end of the last life; null before.</summary>
    private Task? _closing;

    private Driver(IScenario scenario, ulong seed, TextWriter? lines)
    {
        _seed = seed;
        _world = new World(seed, lines, scenario.Faults);
        SimulationRandom random = _world.Random;
        for (int kind = 0; kind < s_kinds; kind++)
        {
            _weights[kind] = (int)random.Magnitude(1, 64);
        }

        _livesLeft = random.Between(1, 6);
        _clients = random.Between(1, 8);
        _eventsPerLife = random.Magnitude(64, 4096);
        _endsProcesses = scenario.EndsProcesses;
        _run = scenario.Begin(_world);
    }

    /// <summary>Runs a seed to its end.</summary>
    /// <param name="scenario">What to simulate.</param>
    /// <param name="seed">What decides everything.</param>
    /// <param name="lines">Where the trace goes; null for nowhere.</param>
    public static Task<SimulationResult> RunAsync(IScenario scenario, ulong seed, TextWriter? lines = null)
    {
        Driver driver = new(scenario, seed, lines);
        ThreadPool.UnsafeQueueUserWorkItem(driver, preferLocal: false);
        return driver._ended.Task;
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute()
    {
        string? violation = null;
        try
        {
            do
            {
                if (ThreadPool.PendingWorkItemCount > 0)
                {
                    ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                    return;
                }
            }
            while (Step());
        }
        catch (Exception error)
        {
            violation = error is ViolationException ? error.Message : error.ToString();
        }

        if (violation is not null)
        {
            _world.Trace.Add("violation", "driver");
            violation = $"{violation}\nUnder way: {Outstanding()}";
        }

        _run.Abandon();
        _ended.SetResult(new SimulationResult(
            _seed, _world.Trace.Hash, _world.Trace.Count, _world.Disk.PowerLosses, _begun, _world.Disk.Strikes, violation));
    }

    /// <summary>Nothing runs: lets the next thing happen. Returns false if everything has.</summary>
    private bool Step()
    {
        if (_opening is null && _closing is null)
        {
            BeginLife();
            return true;
        }

        CollectOperations();
        if (_closing is not null)
        {
            if (_closing.IsCompleted)
            {
                _closing.GetAwaiter().GetResult();
                return false;
            }
        }
        else if (_opening!.IsCompleted)
        {
            _opening.GetAwaiter().GetResult();
            if (_isQuiet && _operations.Count == 0)
            {
                _world.Trace.Add("close", "system");
                _closing = _run.CloseAsync();
                return true;
            }
        }

        if (_eventsLeft-- > 0 && LetHappen())
        {
            return true;
        }

        EndLife();
        return true;
    }

    private void BeginLife()
    {
        _livesLeft--;
        _isQuiet = false;
        _eventsLeft = _world.Random.Below(_eventsPerLife);
        _world.Trace.Add("begin", "process", _livesLeft);
        _opening = _run.OpenAsync();
    }

    private void EndLife()
    {
        if (_isQuiet)
        {
            throw new ViolationException(_eventsLeft < 0
                ? $"The system is not live again {QuietEventsAtMost} events after the last fault."
                : "The system stands still: nothing can happen any more.");
        }

        if (_livesLeft > 0)
        {
            if (_endsProcesses && _world.Random.PerMille(ProcessEndPerMille))
            {
                _world.EndProcess();
            }
            else
            {
                _world.LosePower();
            }

            _run.Abandon();
            _operations.Clear();
            _opening = null;
            return;
        }

        _world.Disk.Mend();
        _isQuiet = true;
        _eventsLeft = QuietEventsAtMost;
    }

    /// <summary>Lets something happen that can. Returns false if nothing can.</summary>
    private bool LetHappen()
    {
        _world.Threads.FindDue(_dueThreads);
        _world.Clock.FindDue(_dueTimers);
        Span<int> chances = stackalloc int[s_kinds];
        chances[(int)EventKind.Disk] = _world.Disk.IsReady ? _weights[(int)EventKind.Disk] : 0;
        chances[(int)EventKind.Turn] = _dueThreads.Count + _world.Threads.Apart > 0 ? _weights[(int)EventKind.Turn] : 0;
        chances[(int)EventKind.Timer] = _dueTimers.Count > 0 ? _weights[(int)EventKind.Timer] : 0;
        chances[(int)EventKind.GoOn] = _world.Paused > 0 ? _weights[(int)EventKind.GoOn] : 0;
        chances[(int)EventKind.Operation] = MayBegin ? _weights[(int)EventKind.Operation] : 0;
        int sum = 0;
        foreach (int chance in chances)
        {
            sum += chance;
        }

        if (sum == 0)
        {
            return PassTime(isIdle: true);
        }

        chances[(int)EventKind.Time] = Math.Max(1, _weights[(int)EventKind.Time] / 8);
        sum += chances[(int)EventKind.Time];
        int drawn = _world.Random.Below(sum);
        int kind = 0;
        while (drawn >= chances[kind])
        {
            drawn -= chances[kind++];
        }

        switch ((EventKind)kind)
        {
            case EventKind.Disk:
                _world.Disk.Step();
                break;
            case EventKind.Turn:
                TakeTurn();
                break;
            case EventKind.Timer:
                int timer = _world.Random.Below(_dueTimers.Count);
                _world.Trace.Add("timer", "clock", timer);
                _dueTimers[timer].Fire();
                break;
            case EventKind.GoOn:
                _world.EndPause();
                break;
            case EventKind.Operation:
                BeginOperation();
                break;
            default:
                return PassTime(isIdle: false);
        }

        return true;
    }

    private bool MayBegin => !_isQuiet && _operations.Count < _clients && _opening is { IsCompletedSuccessfully: true };

    private void BeginOperation()
    {
        if (_run.BeginOperation() is { } operation)
        {
            _begun++;
            _world.Trace.Add("begin", operation.Name);
            _operations.Add(operation);
        }
    }

    private void TakeTurn()
    {
        int turn = _world.Random.Below(_dueThreads.Count + _world.Threads.Apart);
        if (turn < _dueThreads.Count)
        {
            _world.Trace.Add("turn", _dueThreads[turn].Name);
            _dueThreads[turn].TakeTurn();
        }
        else
        {
            _world.Trace.Add("turn", "apart");
            _world.Threads.RunFirstApart();
        }
    }

    /// <summary>Moves the clock: a little, or up to when something is due. Returns false if nothing will ever be.</summary>
    private bool PassTime(bool isIdle)
    {
        long due = Math.Min(_world.Threads.NextDue, Math.Min(_world.Clock.NextDue, _world.Disk.NextDue));
        if (isIdle && due == long.MaxValue)
        {
            return false;
        }

        long step = due > _world.Clock.Now && due != long.MaxValue && (isIdle || _world.Random.PerMille(200))
            ? due - _world.Clock.Now
            : _world.Random.Magnitude(10, s_longestStep);
        _world.Clock.Advance(step);
        _world.Trace.Add("time", "clock", step);
        return true;
    }

    private void CollectOperations()
    {
        for (int i = _operations.Count - 1; i >= 0; i--)
        {
            Operation operation = _operations[i];
            if (operation.Task.IsCompleted)
            {
                _operations.RemoveAt(i);
                _world.Trace.Add("end", operation.Name);
                operation.Task.GetAwaiter().GetResult();
            }
        }
    }

    private string Outstanding()
    {
        IEnumerable<string> all =
        [
            .. _operations.Select(operation => operation.Name),
            .. _world.Disk.Outstanding.Select(request => request.ToString()),
            .. _opening is { IsCompleted: false } ? ["opening"] : Array.Empty<string>(),
            .. _closing is { IsCompleted: false } ? ["closing"] : Array.Empty<string>(),
        ];
        return string.Join("; ", all.DefaultIfEmpty("nothing"));
    }
}
