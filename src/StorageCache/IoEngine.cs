namespace StorageCache;

/// <summary>How a cache carries out the I/O of the files it opens.</summary>
public enum IoEngine
{
    /// <summary>The best engine that is to be had here.</summary>
    Auto,

    /// <summary>A bounded set of dedicated threads that use positioned vectored reads and writes.</summary>
    Threads,
}
