namespace StorageCache.IO;

/// <summary>Has a device make durable what was written to it.</summary>
internal class FlushRequest : AwaitedRequest
{
    /// <summary>Runs the flush on a device. Called once.</summary>
    public Task RunAsync(IBlockDevice device)
    {
        Reset(BlockOperation.Flush, 0);
        DeviceBoundary.Submit(device, this);
        return Task;
    }
}
