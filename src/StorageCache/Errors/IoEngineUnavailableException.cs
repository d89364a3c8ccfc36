namespace StorageCache;

/// <summary>The I/O engine that was asked for by name is not to be had here; the message says why. Ask for another, or for <see cref="IoEngine.Auto"/>.</summary>
public sealed class IoEngineUnavailableException : NotSupportedException
{
    internal IoEngineUnavailableException(IoEngine engine, string reason)
        : base($"The I/O engine {engine} is not available: {reason}")
    {
        Engine = engine;
        Reason = reason;
    }

    /// <summary>The engine that was asked for.</summary>
    public IoEngine Engine { get; }

    /// <summary>Why it is not to be had, as a sentence.</summary>
    public string Reason { get; }
}
