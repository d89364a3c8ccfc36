namespace StorageCache.IO;

/// <summary>What a <see cref="BlockRequest"/> asks of a device.</summary>
public enum BlockOperation
{
    /// <summary>Bytes from the device into the segments.</summary>
    Read,

    /// <summary>Bytes from the segments to the device. They are durable only after a later <see cref="Flush"/>.</summary>
    Write,

    /// <summary>Everything written by requests that were complete when this one was submitted becomes durable. Has no segments.</summary>
    Flush,
}
