using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Disk;

/// <summary>
/// Files that outlive the processes of a simulation, and lose power now and then. What it is asked to do waits until the driver lets it
/// go on, in whatever order (SIM-4), and goes wrong as the plan says. Not thread-safe.
/// </summary>
/// <param name="random">Decides.</param>
/// <param name="clock">What slow requests are slow by.</param>
/// <param name="trace">Hears of everything.</param>
/// <param name="faults">What goes wrong.</param>
internal sealed partial class SimulatedDisk(SimulationRandom random, SimulatedClock clock, Trace trace, FaultPlan faults)
{
    private const int InsideSubmitPerMille = 30;
    private const int PartPerMille = 250;
    private static readonly long s_slowest = TimeSpan.FromMilliseconds(200).Ticks;

    private readonly List<Platter> _platters = [];
    private readonly List<SimulatedFile> _open = [];
    private readonly List<DiskRequest> _outstanding = [];
    private readonly List<DiskRequest> _ready = [];
    private readonly Dictionary<Fault, long> _strikes = [];
    private readonly Dictionary<string, FailureCounts> _failures = [];
    private long _acknowledged;
    private long _requests;

    /// <summary>Decides.</summary>
    public SimulationRandom Random => random;

    /// <summary>What goes wrong.</summary>
    public FaultPlan Faults => faults;

    /// <summary>What has been asked for and not done.</summary>
    public IReadOnlyList<DiskRequest> Outstanding => _outstanding;

    /// <summary>Whether what is written over gets another place, so that there may be no room for it.</summary>
    public bool WritesElsewhere { get; set; }

    /// <summary>Of a thousand losses of power, how many leave of each request all or nothing.</summary>
    public int WholeRequestsPerMille { get; set; }

    /// <summary>How often each fault has struck.</summary>
    public IReadOnlyDictionary<Fault, long> Strikes => _strikes;

    /// <summary>Whether any of some faults has struck: a cause for what operations fail with (SIM-7).</summary>
    public bool HasStruck(params ReadOnlySpan<Fault> faults)
    {
        foreach (Fault fault in faults)
        {
            if (_strikes.ContainsKey(fault))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>How many requests of a file have failed: what may be a cause for what operations fail with (SIM-7).</summary>
    public FailureCounts FailuresOf(string name) => _failures.GetValueOrDefault(name);

    /// <summary>Losses of power.</summary>
    public int PowerLosses { get; private set; }

    /// <summary>The names of all files.</summary>
    public IEnumerable<string> Names => _platters.Select(platter => platter.Name);

    /// <summary>Opens a file; makes an empty one if there is none. That there is a file is durable at once.</summary>
    public SimulatedFile Open(string name)
    {
        Platter? platter = _platters.Find(platter => platter.Name == name);
        if (platter is null)
        {
            platter = new Platter(name);
            _platters.Add(platter);
        }

        SimulatedFile file = new(this, platter);
        _open.Add(file);
        trace.Add("open", name, platter.Length);
        return file;
    }

    /// <summary>Whether there is a file.</summary>
    public bool Exists(string name) => _platters.Exists(platter => platter.Name == name);

    /// <summary>Whether anything of a file has been damaged without the disk's saying so.</summary>
    public bool IsDamaged(string name) =>
        _platters.Find(platter => platter.Name == name) is { } platter && (platter.IsLengthDamaged || platter.IsDamaged(0, platter.Length));

    /// <summary>Takes a file away, durably and at once. It is not open.</summary>
    public void Delete(string name)
    {
        trace.Add("delete", name);
        _platters.RemoveAll(platter => platter.Name == name);
    }

    /// <summary>Takes a request in.</summary>
    public void Submit(DiskRequest request)
    {
        if (request.File.IsDead)
        {
            return;
        }

        Begin(request);
        if (!request.IsStuck && request.NotBefore <= clock.Now && random.PerMille(InsideSubmitPerMille))
        {
            Finish(request);
        }
        else
        {
            _outstanding.Add(request);
        }
    }

    /// <summary>Takes a request in and ends it at once, for one who blocks on it.</summary>
    public void Execute(DiskRequest request)
    {
        if (!request.File.IsDead)
        {
            Begin(request);
            Finish(request);
        }
    }

    /// <summary>Whether a request can go on now.</summary>
    public bool IsReady => _outstanding.Exists(CanGoOn);

    /// <summary>When a slow request can go on that cannot now, in ticks; <see cref="long.MaxValue"/> if there is none.</summary>
    public long NextDue => _outstanding.Where(request => !request.IsStuck).Select(request => request.NotBefore).DefaultIfEmpty(long.MaxValue).Min();

    /// <summary>Lets one of the requests go on that can: by a part, or to its end.</summary>
    public void Step()
    {
        _ready.Clear();
        _ready.AddRange(_outstanding.Where(CanGoOn));
        DiskRequest request = random.Pick(_ready);
        if (Befalls(Fault.BitRot) && _platters.Count > 0)
        {
            Platter platter = random.Pick(_platters);
            trace.Add("rot", platter.Name, platter.Rot(random));
        }

        if (random.PerMille(PartPerMille) && request.CarryOutPart())
        {
            trace.Add("part", request.File.Name, request.Number);
            return;
        }

        _outstanding.Remove(request);
        Finish(request);
    }

    /// <summary>Ends all faults: what is stuck goes on, what is bad is mended. What has been damaged stays so.</summary>
    public void Mend()
    {
        trace.Add("mend", "disk");
        faults.IsOn = false;
        foreach (SimulatedFile file in _open)
        {
            file.BadSectors.Clear();
        }

        foreach (DiskRequest request in _outstanding)
        {
            request.IsStuck = false;
            request.NotBefore = 0;
        }
    }

    /// <summary>Loses power: what has been asked for never ends, what is not durable survives as chance has it (SIM-3).</summary>
    public void LosePower()
    {
        PowerLosses++;
        trace.Add("power-loss", "disk", _outstanding.Count);

        // What was under way may have got somewhere.
        foreach (DiskRequest request in _outstanding)
        {
            while (random.PerMille(500) && request.CarryOutPart())
            {
            }
        }

        CloseFiles();
        int wholePerMille = random.PerMille(WholeRequestsPerMille) ? random.Between(1, 999) : 0;
        foreach (Platter platter in _platters)
        {
            platter.LosePower(random, wholePerMille);
        }
    }

    /// <summary>The process ends that has the files open: of what it has asked for some is done, and what was acknowledged is as it was (SIM-8).</summary>
    public void EndProcess()
    {
        trace.Add("process-end", "disk", _outstanding.Count);
        foreach (DiskRequest request in _outstanding)
        {
            while (random.PerMille(800) && request.CarryOutPart())
            {
            }

            // What has got somewhere is where a flush from now on finds it.
            request.Change.Acknowledged = ++_acknowledged;
        }

        CloseFiles();
    }

    internal void Acknowledge(DiskRequest request)
    {
        request.Change.Acknowledged = ++_acknowledged;
        trace.Add("done", request.File.Name, request.Number);
    }

    internal long LengthOf(SimulatedFile file)
    {
        long length = file.Platter.Length;
        if (!Befalls(Fault.LyingLength))
        {
            return length;
        }

        file.Platter.IsLengthDamaged = true;
        return random.Below(length + (16 * Platter.SectorSize)) / Platter.SectorSize * Platter.SectorSize;
    }

    private void CloseFiles()
    {
        _outstanding.Clear();
        foreach (SimulatedFile file in _open)
        {
            file.IsDead = true;
        }

        _open.Clear();
    }

    private bool CanGoOn(DiskRequest request) => !request.IsStuck && request.NotBefore <= clock.Now;

    private void Begin(DiskRequest request)
    {
        request.Number = ++_requests;
        request.AcknowledgedBefore = _acknowledged;
        trace.Add(request.Operation, request.File.Name, request.Offset, request.Length);
        if (Befalls(Fault.Stuck))
        {
            request.IsStuck = true;
        }
        else if (Befalls(Fault.Slow))
        {
            request.NotBefore = clock.Now + random.Magnitude(10, s_slowest);
        }
    }
}
