namespace StorageCache;

/// <summary>What a <see cref="PageCache.HealthChanged"/> event tells of.</summary>
public enum HealthEventKind
{
    /// <summary>
    /// A page could not be written. It stays dirty, and is tried again; told once, until it is written, and of 1,024 pages of a mapping at
    /// a time. Without a page: the file could not be made as long as it has to be.
    /// </summary>
    WriteFailed,

    /// <summary>A page of which <see cref="WriteFailed"/> was told has been written.</summary>
    WriteRecovered,

    /// <summary>A page could not be read, be it that its codec has thrown.</summary>
    ReadFailed,

    /// <summary>A page was read, and the codec of its mapping has found that its bytes are not what was written. Told each time, for read-ahead as well.</summary>
    PageCorrupt,

    /// <summary>The device could not make writes durable. The mapping is <see cref="MappingState.Failed"/> from now on.</summary>
    SyncFailed,

    /// <summary>A mapping's <see cref="MappingOptions.Log"/> has begun to fail. Pages that need it stay dirty; told once, until it works.</summary>
    LogFailed,

    /// <summary>The log of which <see cref="LogFailed"/> was told has become durable as it was asked to.</summary>
    LogRecovered,
}
