using StorageCache.IO;

namespace StorageCache.Simulation.Disk;

/// <summary>
/// A file of a <see cref="SimulatedDisk"/>, as one process has it open: a device for the cache, and plain reads and writes for whoever
/// has no cache. With the loss of power it is dead: what it was asked to do never ends. Not thread-safe.
/// </summary>
internal sealed class SimulatedFile(SimulatedDisk disk, Platter platter) : IBlockDevice
{
    /// <inheritdoc/>
    public string Name => Platter.Name;

    /// <inheritdoc/>
    public int Alignment => Platter.SectorSize;

    /// <summary>Bytes; a lie, if that fault strikes.</summary>
    public long Length => Disk.LengthOf(this);

    /// <inheritdoc/>
    public bool IsReadOnly => false;

    /// <summary>Sees each request of the cache's before the disk does.</summary>
    public Action<BlockRequest>? Watcher { get; set; }

    /// <summary>Where the file is.</summary>
    internal SimulatedDisk Disk { get; } = disk;

    /// <summary>What is stored of it.</summary>
    internal Platter Platter { get; } = platter;

    /// <summary>Whether the process that has it open has ended.</summary>
    internal bool IsDead { get; set; }

    /// <summary>Sectors that can neither be read nor written, by their number.</summary>
    internal HashSet<long> BadSectors { get; } = [];

    /// <inheritdoc/>
    public void Submit(BlockRequest request) => Disk.Submit(MakeRequest(request));

    /// <inheritdoc/>
    public void Execute(BlockRequest request) => Disk.Execute(MakeRequest(request));

    /// <inheritdoc/>
    public async ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        cancellationToken.ThrowIfCancellationRequested();
        ChangeOfRange request = new(this, "length", length, 0, change =>
        {
            if (length != Platter.Length)
            {
                Platter.SetLength(length, change);
            }
        });
        Disk.Submit(request);
        await request.Ended.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ChangeOfRange request = new(this, "punch", offset, length, change => Platter.Zero(offset, offset + length, change));
        Disk.Submit(request);
        return await request.Ended.ConfigureAwait(false);
    }

    /// <summary>Reads. Ends with fewer bytes than asked where the file ends.</summary>
    /// <exception cref="IOException">The disk has failed.</exception>
    public Task<int> ReadAsync(long offset, Memory<byte> destination) => SubmitAsync(new MemoryTransfer(this, isWrite: false, offset, destination));

    /// <summary>Writes; the bytes are taken when the disk comes to them. Ends with fewer bytes than asked after a short write.</summary>
    /// <exception cref="IOException">The disk has failed.</exception>
    public Task<int> WriteAsync(long offset, Memory<byte> source) => SubmitAsync(new MemoryTransfer(this, isWrite: true, offset, source));

    /// <summary>Makes durable what has been acknowledged.</summary>
    /// <exception cref="IOException">The disk has failed.</exception>
    public Task FlushAsync()
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Disk.Submit(new FlushOfFile(this, ended.SetResult, ended.SetException));
        return ended.Task;
    }

    /// <summary>Does nothing.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Task<int> SubmitAsync(MemoryTransfer transfer)
    {
        Disk.Submit(transfer);
        return transfer.Ended;
    }

    private DiskRequest MakeRequest(BlockRequest request)
    {
        Watcher?.Invoke(request);
        return request.Operation == BlockOperation.Flush
            ? new FlushOfFile(this, () => request.Complete(0), request.Fail)
            : new BlockTransfer(this, request);
    }
}
