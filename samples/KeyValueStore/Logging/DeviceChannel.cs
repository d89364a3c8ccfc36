using StorageCache.IO;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>One party's way to the device: one transfer at a time.</summary>
internal sealed unsafe class DeviceChannel(IBlockDevice device)
{
    private LogTransfer _transfer = new(device.Name);

    public IBlockDevice Device => device;

    /// <summary>Begins a write; <see cref="Add"/> and <see cref="RunAsync"/> follow.</summary>
    public void BeginWrite(long offset) => Take().Prepare(BlockOperation.Write, offset);

    /// <summary>Adds memory to what was begun. It stays reachable until the end.</summary>
    public void Add(byte* address, int length) => _transfer.Add(address, length);

    /// <summary>Runs what was begun.</summary>
    /// <exception cref="IOException">The device has failed.</exception>
    public ValueTask<int> RunAsync() => _transfer.RunAsync(device);

    /// <summary>Reads; ends with the bytes read, fewer where the device ends.</summary>
    /// <exception cref="IOException">The device has failed.</exception>
    public ValueTask<int> ReadAsync(long offset, AlignedBuffer buffer, int length)
    {
        LogTransfer transfer = Take();
        transfer.Prepare(BlockOperation.Read, offset);
        transfer.Add(buffer.Address, length);
        return transfer.RunAsync(device);
    }

    /// <summary>Writes one piece of memory.</summary>
    /// <exception cref="IOException">The device has failed.</exception>
    public ValueTask<int> WriteAsync(long offset, AlignedBuffer buffer, int length)
    {
        BeginWrite(offset);
        Add(buffer.Address, length);
        return RunAsync();
    }

    /// <summary>Makes durable what was written before.</summary>
    /// <exception cref="IOException">The device has failed.</exception>
    public ValueTask<int> FlushAsync()
    {
        LogTransfer transfer = Take();
        transfer.Prepare(BlockOperation.Flush, 0);
        return transfer.RunAsync(device);
    }

    private LogTransfer Take() => _transfer.IsSpent ? _transfer = new LogTransfer(device.Name) : _transfer;
}
