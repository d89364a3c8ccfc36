namespace StorageCache.Simulation.Disk;

/// <summary>A change of length, or a hole that is punched: carried out at once, and acknowledged by a task.</summary>
/// <param name="file">Who was asked.</param>
/// <param name="operation">What the trace calls it.</param>
/// <param name="offset">Where, in bytes.</param>
/// <param name="length">How far, in bytes.</param>
/// <param name="carryOut">Does it.</param>
internal sealed class ChangeOfRange(SimulatedFile file, string operation, long offset, long length, Action<Change> carryOut)
    : DiskRequest(file, operation, offset, length)
{
    private readonly TaskCompletionSource<bool> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends with true.</summary>
    public Task<bool> Ended => _ended.Task;

    /// <inheritdoc/>
    public override void Complete()
    {
        carryOut(Change);
        File.Disk.Acknowledge(this);
        _ended.SetResult(true);
    }

    /// <inheritdoc/>
    public override void Fail(IOException error) => _ended.SetException(error);
}
