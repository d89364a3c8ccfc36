namespace StorageCache.IO;

/// <summary>A change of length on its way through an engine's queue.</summary>
/// <remarks>
/// It carries the operation <see cref="BlockOperation.Flush"/>, the public kind that moves no bytes; only the file device that made it
/// ever sees it, and recognizes it by its type. Rare, so it is not pooled.
/// </remarks>
internal sealed class SetLengthRequest : BlockRequest
{
    /// <summary>What awaits it goes on on the cache's own thread, and so needs no hop by way of the thread pool (T-1).</summary>
    private readonly TaskCompletionSource _completion = new();

    public SetLengthRequest(long length)
        : base(0)
    {
        Length = length;
        Reset(BlockOperation.Flush, 0);
    }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>Completes with the request.</summary>
    public Task Task => _completion.Task;

    protected override void OnCompleted(int bytesTransferred, IOException? error)
    {
        if (error is null)
        {
            _completion.SetResult();
        }
        else
        {
            _completion.SetException(error);
        }
    }
}
