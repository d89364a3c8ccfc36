namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>Why a file is not among those that were put.</summary>
internal enum SkipReason
{
    /// <summary>It has more than 64 MiB, or had by the time it was read.</summary>
    TooLarge,

    /// <summary>It cannot be read, or is gone.</summary>
    Unreadable,

    /// <summary>It is a pipe, a socket or a device.</summary>
    NotRegular,

    /// <summary>Its path cannot be a key: it is too long, or not UTF-8.</summary>
    BadPath,
}
