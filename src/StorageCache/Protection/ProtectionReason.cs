namespace StorageCache;

/// <summary>Why a frame's bytes stand still, and so why a writer broke away from it.</summary>
public enum ProtectionReason
{
    /// <summary>The page is on its way to the device.</summary>
    WriteBack,

    /// <summary>Somebody keeps the bytes as they were at a moment: a backup, a fuzzy checkpoint, a reader of an old version.</summary>
    Snapshot,

    /// <summary>Somebody keeps a copy of the bytes elsewhere, which is good for as long as they do not change.</summary>
    Replica,

    /// <summary>A device, or another process, has been given the bytes to read.</summary>
    Lease,

    /// <summary>Other pages have the same frame.</summary>
    Sharing,
}
