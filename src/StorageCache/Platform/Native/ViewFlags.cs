namespace StorageCache.Platform.Native;

/// <summary>What a view of shared memory allows (<c>SC_VIEW_*</c>).</summary>
[Flags]
internal enum ViewFlags : uint
{
    /// <summary>A store through the view kills the process.</summary>
    None = 0,

    /// <summary>The view may be written through.</summary>
    Writable = 1 << 0,
}
