namespace StorageCache.Replacement;

/// <summary>Eviction as the rest of the cache sees it.</summary>
internal interface IReclaimer
{
    /// <summary>Evicts up to <paramref name="wanted"/> pages on the calling thread, looking at a bounded number. Returns how many.</summary>
    int Evict(int wanted);

    /// <summary>Wakes the background eviction if free frames are getting few.</summary>
    void Balance();

    /// <summary>Wakes the background eviction.</summary>
    void Kick();

    /// <summary>Reference bits that a page starts with.</summary>
    /// <param name="shadow">The shadow entry of its last eviction; zero for none.</param>
    ulong ReferenceAfterFault(uint shadow);

    /// <summary>Starts the background thread.</summary>
    void Start();

    /// <summary>Ends the background thread and waits for it.</summary>
    void Stop();
}
