using StorageCache.Buffers;

namespace StorageCache.Replacement;

/// <summary>
/// A scan-resistant clock with two reference bits. A page comes in cold; the access that brought it in does not count.
/// One that is used again before the hand comes by turns hot and survives two more rounds; one that is not, goes at the
/// first. So a scan, whose pages are used once, only ever displaces other cold pages. A page that is wanted again soon
/// after its eviction (its shadow entry tells) comes in hot. A page that was read ahead of use stays for two rounds, unused
/// or used: its first use is the one that would have brought it in.
/// </summary>
/// <remarks>
/// Descends from the clock with reference counts (Corbato 1968), 2Q (Johnson and Shasha 1994) and the kernel's
/// refault distance (mm/workingset.c).
/// </remarks>
internal readonly struct TwoBitClock : IReplacementPolicy
{
    /// <inheritdoc/>
    public bool ShouldEvict(ulong reference, out ulong next)
    {
        if ((reference & StateWord.Referenced) != 0)
        {
            next = (reference & StateWord.Prefetched) != 0 ? 0 : StateWord.Hot;
            return false;
        }

        next = reference & StateWord.Prefetched;
        return (reference & StateWord.Hot) == 0;
    }

    /// <inheritdoc/>
    public ulong OfPrefetched => StateWord.Prefetched | StateWord.Hot;

    /// <inheritdoc/>
    public ulong AfterRefault(uint distance, int capacity) => distance <= (uint)capacity ? StateWord.Hot : 0;
}
