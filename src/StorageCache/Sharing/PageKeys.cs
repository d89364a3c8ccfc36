using StorageCache.Frames;

namespace StorageCache.Sharing;

/// <summary>What a page that has been read can be found by from now on.</summary>
/// <param name="Extent">By its extent, if <paramref name="HasExtent"/>.</param>
/// <param name="HasExtent">Whether another file has the page.</param>
/// <param name="Content">By its content, if <paramref name="HasContent"/>.</param>
/// <param name="HasContent">Whether its domain shares content.</param>
internal readonly record struct PageKeys(FrameKey Extent, bool HasExtent, FrameKey Content, bool HasContent)
{
    /// <summary>Whether there is any.</summary>
    public bool Any => HasExtent || HasContent;
}
