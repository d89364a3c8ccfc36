namespace StorageCache.KeyValueStore.Integrity;

/// <summary>
/// How much of a page in memory has been looked at: its <see cref="PageWriteLease.PrivateWord"/>, which the cache sets to 0 when it reads the page.
/// </summary>
internal enum PageTrust : ulong
{
    /// <summary>Nothing, since the page was read from the device.</summary>
    None,

    /// <summary>The bytes are those that were written: the checksum was right, or they come from this process.</summary>
    Bytes,

    /// <summary>The same, and it is a tree page whose cells can be changed in place.</summary>
    Cells,
}
