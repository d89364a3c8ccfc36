namespace StorageCache.Replacement;

/// <summary>Eviction as the rest of the cache sees it.</summary>
internal interface IReclaimer
{
    /// <summary>Evicts up to <paramref name="wanted"/> pages on the calling thread, looking at a bounded number. Returns how many.</summary>
    int Evict(int wanted);

    /// <summary>Evicts one page, if nothing holds it, and leaves no shadow entry. Returns whether it did.</summary>
    /// <param name="slot">Its slot, whose leaf the caller keeps alive.</param>
    /// <param name="onlyPassed">Whether only if it came in by read-ahead and has not been found in use since by the clock hand.</param>
    unsafe bool TryEvict(Buffers.Slot* slot, bool onlyPassed);

    /// <summary>Frames that the background eviction has looked at, at most: it may have found enough before.</summary>
    long Looked { get; }

    /// <summary>Free frames that may be taken before the background eviction begins; negative if it has.</summary>
    long Spare { get; }

    /// <summary>Wakes the background eviction if free frames are getting few, unless it has just tried in vain.</summary>
    void Balance();

    /// <summary>Wakes the background eviction: something may have come free, or can be evicted now.</summary>
    void Kick();

    /// <summary>
    /// Tells the background eviction that somebody waits for a frame. If it has tried in vain, several times, it sees to their
    /// patience, and tries again when its rest ends.
    /// </summary>
    void Call();

    /// <summary>Reference bits that a page starts with.</summary>
    /// <param name="shadow">The shadow entry of its last eviction; zero for none.</param>
    ulong ReferenceAfterFault(uint shadow);

    /// <summary>Reference bits of a page that is read ahead of use.</summary>
    ulong ReferenceOfPrefetched { get; }

    /// <summary>Starts the background thread.</summary>
    void Start();

    /// <summary>Ends the background thread and waits for it.</summary>
    void Stop();
}
