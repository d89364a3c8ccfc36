namespace StorageCache;

/// <summary>How a cache carries out the I/O of the files it opens.</summary>
public enum IoEngine
{
    /// <summary>The best engine that is to be had here: <see cref="IoUring"/>, else <see cref="Threads"/>.</summary>
    Auto,

    /// <summary>A bounded set of dedicated threads that use positioned vectored reads and writes.</summary>
    Threads,

    /// <summary>
    /// The kernel's io_uring, through the native library: submissions and completions in batches, one thread for all of
    /// them. Asking for it where it is not to be had is an <see cref="IoEngineUnavailableException"/>.
    /// </summary>
    IoUring,
}
