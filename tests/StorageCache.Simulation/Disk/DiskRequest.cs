using StorageCache.IO;

namespace StorageCache.Simulation.Disk;

/// <summary>Something that a file has been asked to do and has not done yet. Not thread-safe.</summary>
/// <param name="file">Who was asked.</param>
/// <param name="operation">What the trace calls it.</param>
/// <param name="offset">Where, in bytes.</param>
/// <param name="length">How far, in bytes.</param>
internal abstract class DiskRequest(SimulatedFile file, string operation, long offset, long length)
{
    /// <summary>Who was asked.</summary>
    public SimulatedFile File { get; } = file;

    /// <summary>What the trace calls it.</summary>
    public string Operation { get; } = operation;

    /// <summary>Where, in bytes.</summary>
    public long Offset { get; } = offset;

    /// <summary>How far, in bytes.</summary>
    public long Length { get; } = length;

    /// <summary>Tells the request from others; in the order in which they came.</summary>
    public long Number { get; set; }

    /// <summary>What it changes.</summary>
    public Change Change { get; } = new();

    /// <summary>When it may go on, in ticks of the clock.</summary>
    public long NotBefore { get; set; }

    /// <summary>Whether it is stuck.</summary>
    public bool IsStuck { get; set; }

    /// <summary>How many acknowledgements there had been when it came: what a flush covers.</summary>
    public long AcknowledgedBefore { get; set; }

    /// <summary>Carries out a part of what is left, drawn by chance. Returns false if the request knows no parts, or none are left.</summary>
    public virtual bool CarryOutPart() => false;

    /// <summary>Carries out what is left, and ends the request.</summary>
    public abstract void Complete();

    /// <summary>Fails the request, which has done no more than it has so far.</summary>
    public abstract void Fail(IOException error);

    /// <summary>What messages call it.</summary>
    public override string ToString() => $"{Operation} of {Length} bytes at {Offset} of '{File.Name}'{(IsStuck ? ", stuck" : "")}";

    /// <summary>What messages of an error say.</summary>
    protected string Describe(string cause) => $"{Operation} of {Length} bytes at offset {Offset} of '{File.Name}' failed: {cause}.";

    /// <summary>A failure with an error number.</summary>
    public BlockIOException Error(int errno, string cause) => new(Describe(cause), errno);
}
