using StorageCache.Simulation.Disk;

namespace StorageCache.Simulation.Kernel;

/// <summary>
/// All that a simulated process can meet: chance, time, threads, a disk. Clock and disk outlive the process. Everything runs on one
/// thread (SIM-2). Not thread-safe.
/// </summary>
internal sealed class World
{
    private readonly List<TaskCompletionSource> _paused = [];

    /// <param name="seed">Decides everything.</param>
    /// <param name="lines">Where the trace goes; null for nowhere.</param>
    /// <param name="faults">What may go wrong, beside losses of power.</param>
    public World(ulong seed, TextWriter? lines, IReadOnlyList<Fault> faults)
    {
        Random = new SimulationRandom(seed);
        Trace = new Trace(lines);
        Clock = new SimulatedClock();
        Threads = new SimulatedThreads(Clock);
        Disk = new SimulatedDisk(Random, Clock, Trace, FaultPlan.Draw(Random, faults));
    }

    /// <summary>Decides.</summary>
    public SimulationRandom Random { get; }

    /// <summary>What has happened.</summary>
    public Trace Trace { get; }

    /// <summary>The time.</summary>
    public SimulatedClock Clock { get; }

    /// <summary>Background work of the process.</summary>
    public SimulatedThreads Threads { get; }

    /// <summary>What outlives the process.</summary>
    public SimulatedDisk Disk { get; }

    /// <summary>How many of the process's operations pause.</summary>
    public int Paused => _paused.Count;

    /// <summary>Lets other things happen: some time later, the driver has the caller go on.</summary>
    public Task PauseAsync()
    {
        TaskCompletionSource pause = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _paused.Add(pause);
        return pause.Task;
    }

    /// <summary>Has one who pauses go on.</summary>
    public void EndPause()
    {
        int which = Random.Below(_paused.Count);
        TaskCompletionSource pause = _paused[which];
        _paused.RemoveAt(which);
        Trace.Add("go-on", "client", which);
        pause.SetResult();
    }

    /// <summary>Loses power, and with it the process: what it was about never ends. The disk keeps what survives.</summary>
    public void LosePower()
    {
        Disk.LosePower();
        Clear();
    }

    /// <summary>Ends the process alone, as SIGKILL does: what it was about never ends. The disk loses nothing that was acknowledged.</summary>
    public void EndProcess()
    {
        Disk.EndProcess();
        Clear();
    }

    private void Clear()
    {
        Threads.Clear();
        Clock.Clear();
        _paused.Clear();
    }
}
