using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Tests.Disk;

/// <summary>A simulated disk with one file, and a test in the driver's place.</summary>
internal sealed class DiskBench
{
    public DiskBench(ulong seed, params ReadOnlySpan<(Fault Fault, double Chance)> faults)
    {
        Random = new SimulationRandom(seed);
        foreach ((Fault fault, double chance) in faults)
        {
            Plan[fault] = chance;
        }

        Disk = new SimulatedDisk(Random, Clock, new Trace(null), Plan);
        File = Disk.Open("file");
    }

    public SimulationRandom Random { get; }

    public SimulatedClock Clock { get; } = new();

    public FaultPlan Plan { get; } = new();

    public SimulatedDisk Disk { get; }

    public SimulatedFile File { get; private set; }

    /// <summary>Sectors that are all of one letter.</summary>
    public static byte[] Sectors(char letter, int count = 1)
    {
        byte[] bytes = new byte[count * Platter.SectorSize];
        Array.Fill(bytes, (byte)letter);
        return bytes;
    }

    /// <summary>Lets the disk do everything that it has been asked for and can do.</summary>
    public void Drain()
    {
        while (Disk.IsReady)
        {
            Disk.Step();
        }
    }

    /// <summary>Writes, and has the disk do it.</summary>
    public Exception? Write(char letter, int sector, int count = 1) => Outcome(File.WriteAsync(sector * Platter.SectorSize, Sectors(letter, count)));

    public Exception? Flush() => Outcome(File.FlushAsync());

    public Exception? SetLength(int sectors) => Outcome(File.SetLengthAsync(sectors * Platter.SectorSize, CancellationToken.None).AsTask());

    /// <summary>The letters of the sectors from the start, <c>.</c> for zeros and <c>?</c> for a sector that is a mixture.</summary>
    public string Read()
    {
        byte[] bytes = new byte[File.Platter.Length];
        File.Platter.Read(0, bytes);
        return string.Concat(bytes.Chunk(Platter.SectorSize).Select(static sector =>
            sector.AsSpan().ContainsAnyExcept(sector[0]) ? '?' : sector[0] == 0 ? '.' : (char)sector[0]));
    }

    /// <summary>Loses power and opens the file again.</summary>
    public string LosePower()
    {
        Disk.LosePower();
        File = Disk.Open("file");
        return Read();
    }

    /// <summary>Ends the process and opens the file again.</summary>
    public string EndProcess()
    {
        Disk.EndProcess();
        File = Disk.Open("file");
        return Read();
    }

    /// <summary>What a test sees in many lives that differ by the seed alone.</summary>
    public static HashSet<string> InManyLives(Func<DiskBench, string> life, params (Fault Fault, double Chance)[] faults) =>
        [.. Enumerable.Range(1, 300).Select(seed => life(new DiskBench((ulong)seed, faults)))];

    private Exception? Outcome(Task task)
    {
        Drain();
        if (Disk.Outstanding.Count > 0)
        {
            return new TimeoutException("It is not over.");
        }

        try
        {
            task.GetAwaiter().GetResult();
            return null;
        }
        catch (IOException error)
        {
            return error;
        }
    }
}
