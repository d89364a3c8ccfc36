namespace StorageCache.Platform.Native;

/// <summary>How extents are asked for (<c>SC_EXTENTS_*</c>).</summary>
[Flags]
internal enum ExtentQueryFlags : uint
{
    None = 0,

    /// <summary>Writes dirty data back first, so that delayed extents have their place.</summary>
    Sync = 1 << 0,
}
