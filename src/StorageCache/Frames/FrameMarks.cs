namespace StorageCache.Frames;

/// <summary>Bits of <see cref="FrameDescriptor.Marks"/>.</summary>
internal static class FrameMarks
{
    /// <summary>A spin lock over the ring of owners.</summary>
    public const uint OwnersLock = 1;

    /// <summary>The frame can be found by the extent that its bytes come from.</summary>
    public const uint ByExtent = 1 << 1;

    /// <summary>The frame can be found by the hash of its bytes.</summary>
    public const uint ByContent = 1 << 2;

    /// <summary>The frame can be found, and so be given another owner at any time.</summary>
    public const uint Indexed = ByExtent | ByContent;
}
