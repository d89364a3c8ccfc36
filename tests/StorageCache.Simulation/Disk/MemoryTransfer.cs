namespace StorageCache.Simulation.Disk;

/// <summary>A transfer of managed memory, for whoever has a file without the cache, such as a log.</summary>
internal sealed class MemoryTransfer(SimulatedFile file, bool isWrite, long offset, Memory<byte> memory)
    : TransferRequest(file, isWrite, offset, memory.Length)
{
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends with the number of bytes that were transferred.</summary>
    public Task<int> Ended => _ended.Task;

    /// <inheritdoc/>
    public override void Fail(IOException error) => _ended.SetException(error);

    /// <inheritdoc/>
    protected override Span<byte> Bytes(int position, int count) => memory.Span.Slice(position, count);

    /// <inheritdoc/>
    protected override void OnCompleted(int bytes) => _ended.SetResult(bytes);
}
