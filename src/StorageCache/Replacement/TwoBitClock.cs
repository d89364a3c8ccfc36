using StorageCache.Buffers;

namespace StorageCache.Replacement;

/// <summary>
/// A scan-resistant clock with two reference bits. A page comes in cold; the access that brought it in does not count.
/// One that is used again before the hand comes by turns hot and survives two more rounds; one that is not, goes at the
/// first. So a scan, whose pages are used once, only ever displaces other cold pages. A page that is wanted again soon
/// after its eviction (its shadow entry tells) comes in hot.
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
            next = StateWord.Hot;
            return false;
        }

        next = 0;
        return (reference & StateWord.Hot) == 0;
    }

    /// <inheritdoc/>
    public ulong AfterRefault(uint distance, int capacity) => distance <= (uint)capacity ? StateWord.Hot : 0;
}
