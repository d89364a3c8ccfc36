namespace StorageCache.IO;

/// <summary>A request of the cache's own asynchronous work: rare, made for one use, and without segments.</summary>
internal abstract class AwaitedRequest : BlockRequest
{
    /// <summary>What awaits it goes on on the cache's own thread, and so needs no hop by way of the thread pool (T-1).</summary>
    private readonly TaskCompletionSource _completion = new();

    protected AwaitedRequest()
        : base(0)
    {
    }

    /// <summary>Completes with the request.</summary>
    public Task Task => _completion.Task;

    /// <inheritdoc/>
    protected sealed override void OnCompleted(int bytesTransferred, IOException? error)
    {
        if (error is null)
        {
            _completion.SetResult();
        }
        else
        {
            OnFailing(error);
            _completion.SetException(error);
        }
    }

    /// <summary>Hears of a failure, on the thread on which the request ends and before whoever awaits it.</summary>
    protected virtual void OnFailing(IOException error)
    {
    }
}
