namespace StorageCache;

/// <summary>
/// How the pages of a mapping are read, as far as its owner knows; what posix_fadvise says for the kernel's page cache. It decides
/// what is read ahead of use, and never what is read right.
/// </summary>
public enum AccessPattern
{
    /// <summary>
    /// Unknown: sequences of neighbouring pages, forward or backward, are noticed, and read ahead of in windows that double as
    /// they are used and shrink as they are not.
    /// </summary>
    Normal = 0,

    /// <summary>
    /// From one end to the other, mostly: the first window is as large as any, and pages that have been passed are given up
    /// at once.
    /// </summary>
    Sequential = 1,

    /// <summary>Here and there: nothing is read ahead but what <see cref="Mapping.Prefetch"/> and read streams ask for.</summary>
    Random = 2,
}
