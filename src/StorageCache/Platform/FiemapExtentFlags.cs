namespace StorageCache.Platform;

/// <summary>What the kernel says of an extent (<c>FIEMAP_EXTENT_*</c>).</summary>
[Flags]
internal enum FiemapExtentFlags : uint
{
    None = 0,
    Last = 0x1,
    Unknown = 0x2,
    DelayedAllocation = 0x4,
    Encoded = 0x8,
    DataEncrypted = 0x80,
    NotAligned = 0x100,
    DataInline = 0x200,
    DataTail = 0x400,
    Unwritten = 0x800,
    Merged = 0x1000,
    Shared = 0x2000,
}
