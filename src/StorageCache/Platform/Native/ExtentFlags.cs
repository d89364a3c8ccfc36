namespace StorageCache.Platform.Native;

/// <summary>What is true of an extent (<c>SC_EXTENT_*</c>).</summary>
[Flags]
internal enum ExtentFlags : uint
{
    None = 0,

    /// <summary>The last of the file.</summary>
    Last = 1 << 0,

    /// <summary><see cref="FileExtent.Physical"/> is not known.</summary>
    Unknown = 1 << 1,

    /// <summary>No place on the device yet: <see cref="FileExtent.Physical"/> is not known.</summary>
    Delayed = 1 << 2,

    /// <summary>Allocated, and reads as zeros.</summary>
    Unwritten = 1 << 3,

    /// <summary>Other files have the same blocks.</summary>
    Shared = 1 << 4,

    /// <summary>Data among the metadata.</summary>
    Inline = 1 << 5,

    /// <summary>Several files' tails in one block.</summary>
    Tail = 1 << 6,

    /// <summary>Compressed or encrypted: the bytes at <see cref="FileExtent.Physical"/> are not the file's.</summary>
    Encoded = 1 << 7,

    /// <summary>Encrypted by the file system.</summary>
    Encrypted = 1 << 8,

    /// <summary>Not aligned to blocks.</summary>
    NotAligned = 1 << 9,

    /// <summary>Put together for this answer; the file system stores it block by block.</summary>
    Merged = 1 << 10,

    /// <summary>Has a flag that the library does not know.</summary>
    Other = 1 << 11,
}
