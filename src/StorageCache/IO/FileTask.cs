namespace StorageCache.IO;

/// <summary>
/// What a file is asked for besides transfers and flushes, on its way through an engine's queue: it may take the kernel long, and no ring
/// knows it.
/// </summary>
/// <remarks>
/// It carries the operation <see cref="BlockOperation.Flush"/>, the public kind that moves no bytes; only the file device that made it
/// ever sees it, and recognizes it by its type.
/// </remarks>
internal sealed class FileTask : AwaitedRequest
{
    private readonly Func<IOException?> _work;

    /// <param name="what">What is asked for, as in "Cannot ... 'file'".</param>
    /// <param name="work">Does it, on the calling thread, and returns the failure or null.</param>
    public FileTask(string what, Func<IOException?> work)
    {
        What = what;
        _work = work;
        Reset(BlockOperation.Flush, 0);
    }

    /// <summary>What is asked for, as in "Cannot ... 'file'".</summary>
    public string What { get; }

    /// <summary>Does it, and returns the failure or null. The request is completed afterwards.</summary>
    public IOException? Run() => _work();
}
