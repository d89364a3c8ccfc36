namespace StorageCache.IO;

/// <summary>Has a device make durable what was written to it.</summary>
internal sealed class FlushRequest : BlockRequest
{
    /// <summary>What awaits it goes on on the cache's own thread, and so needs no hop by way of the thread pool (T-1).</summary>
    private readonly TaskCompletionSource _done = new();

    public FlushRequest()
        : base(0)
    {
    }

    /// <summary>Runs the flush on a device. Called once.</summary>
    public Task RunAsync(IBlockDevice device)
    {
        Reset(BlockOperation.Flush, 0);
        DeviceBoundary.Submit(device, this);
        return _done.Task;
    }

    /// <inheritdoc/>
    protected override void OnCompleted(int bytesTransferred, IOException? error)
    {
        if (error is null)
        {
            _done.SetResult();
        }
        else
        {
            _done.SetException(error);
        }
    }
}
