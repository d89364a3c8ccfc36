namespace StorageCache.Replacement;

/// <summary>
/// What a replacement policy decides, on the reference bits of the state word. Implemented by structs, so that the
/// decisions are compiled into the sweep.
/// </summary>
internal interface IReplacementPolicy
{
    /// <summary>What a sweep that meets a page does with its reference bits.</summary>
    /// <param name="reference">The bits as they are; <see cref="Buffers.StateWord.ReferenceMask"/>.</param>
    /// <param name="next">The bits that the page goes on with if it stays.</param>
    /// <returns>Whether the page is to be evicted.</returns>
    bool ShouldEvict(ulong reference, out ulong next);

    /// <summary>Reference bits of a page that is read ahead of use.</summary>
    ulong OfPrefetched { get; }

    /// <summary>Reference bits of a page that was evicted and is wanted again.</summary>
    /// <param name="distance">How many pages have been evicted since.</param>
    /// <param name="capacity">How many frames the cache has.</param>
    ulong AfterRefault(uint distance, int capacity);
}
