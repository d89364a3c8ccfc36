namespace StorageCache.IO;

/// <summary>Carries out what is submitted to file devices, without blocking those who submit. Thread-safe.</summary>
internal interface IIoEngine : IDisposable
{
    /// <summary>Which engine it is.</summary>
    IoEngine Kind { get; }

    /// <summary>How many requests it carries out at once at most; those beyond wait.</summary>
    int Places { get; }

    /// <summary>Takes a request in. It may be complete when the call returns; after <see cref="IDisposable.Dispose"/> it fails inside the call (I/O-3).</summary>
    /// <param name="request">Prepared, and not submitted anywhere else.</param>
    /// <param name="device">What carries it out.</param>
    /// <exception cref="InvalidOperationException">The request is queued already.</exception>
    void Submit(BlockRequest request, IBlockDevice device);

    /// <summary>Has the engine take part in registering some memory, of which nothing is registered as yet. Once, before the first request.</summary>
    /// <param name="start">First byte; there need not be any memory as yet.</param>
    /// <param name="bytes">Bytes, 1 or more.</param>
    /// <param name="refusal">Why the engine has no such thing, as a sentence; null if it has.</param>
    unsafe IRegisteredMemory? TryRegisterMemory(byte* start, long bytes, out string? refusal);
}
