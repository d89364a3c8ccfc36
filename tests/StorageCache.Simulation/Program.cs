using StorageCache.Simulation.Kernel;
using StorageCache.Simulation.Scenarios.Engine;

ThreadPool.SetMinThreads(1, 1);
ThreadPool.SetMaxThreads(1, 1);
ulong first = ulong.Parse(args[0]);
ulong count = ulong.Parse(args[1]);
long events = 0;
long losses = 0;
long operations = 0;
System.Diagnostics.Stopwatch watch = System.Diagnostics.Stopwatch.StartNew();
for (ulong s = first; s < first + count; s++)
{
    SimulationResult r = Driver.RunAsync(new EngineScenario(), s, args.Length > 2 ? Console.Out : null).GetAwaiter().GetResult();
    events += r.Events;
    losses += r.PowerLosses;
    operations += r.Operations;
    if (r.Violation is not null || count < 6)
    {
        Console.WriteLine($"{s} {r.Hash:x16} {r.Events} {r.PowerLosses} {r.Operations} {string.Join(",", r.Strikes)} {r.Violation}");
        if (r.Violation is not null)
        {
            return 1;
        }
    }
}

Console.WriteLine($"{count} seeds {events} events {losses} losses {operations} ops {watch.ElapsedMilliseconds} ms");
return 0;
