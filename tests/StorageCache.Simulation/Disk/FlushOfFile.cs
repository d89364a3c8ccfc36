namespace StorageCache.Simulation.Disk;

/// <summary>A flush.</summary>
/// <param name="file">Who was asked.</param>
/// <param name="onCompleted">Hears that it has succeeded.</param>
/// <param name="onFailed">Hears that it has failed.</param>
internal sealed class FlushOfFile(SimulatedFile file, Action onCompleted, Action<IOException> onFailed) : DiskRequest(file, "flush", 0, 0)
{
    /// <inheritdoc/>
    public override void Complete()
    {
        File.Platter.Harden(AcknowledgedBefore);
        File.Disk.Acknowledge(this);
        onCompleted();
    }

    /// <inheritdoc/>
    public override void Fail(IOException error) => onFailed(error);

    /// <summary>Succeeds without having made anything durable.</summary>
    public void Lie()
    {
        File.Platter.DamageUnflushed(AcknowledgedBefore);
        File.Disk.Acknowledge(this);
        onCompleted();
    }
}
