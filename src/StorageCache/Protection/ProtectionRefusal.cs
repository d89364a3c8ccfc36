namespace StorageCache;

/// <summary>Why a page was not protected, or its frame not shared.</summary>
public enum ProtectionRefusal
{
    /// <summary>It was not refused.</summary>
    None,

    /// <summary>The page is not in memory.</summary>
    NotResident,

    /// <summary>The page is dirty.</summary>
    Dirty,

    /// <summary>The page is on its way to the device.</summary>
    UnderWriteBack,

    /// <summary>A writer has the page, or has had it since it was last read from the device or written there.</summary>
    ExclusivelyLatched,

    /// <summary>The mapping, or its sharing domain, does not share.</summary>
    OptedOut,

    /// <summary>The mapping is coming to its end.</summary>
    Closing,

    /// <summary>The memory limit has no room for the metadata, or as many hold the frame as can.</summary>
    NoRoom,

    /// <summary>Two pages have the same hash and different bytes.</summary>
    Different,

    /// <summary>The file's extents changed while they were being confirmed.</summary>
    Unconfirmed,
}
