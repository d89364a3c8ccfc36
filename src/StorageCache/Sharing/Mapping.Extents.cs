using StorageCache.Buffers;
using StorageCache.Sharing;

namespace StorageCache;

/// <content>What the search for common extents needs of a mapping.</content>
public sealed partial class Mapping
{
    private long _writesEnded;

    /// <summary>How many writes have ended: while it stays the same, the cache has moved none of the file's blocks.</summary>
    internal long WritesEnded => Volatile.Read(ref _writesEnded);

    /// <summary>Keeps truncation and closing out until it is disposed of.</summary>
    internal Task<IDisposable> EnterAsync(CancellationToken cancellationToken) => _lifetime.ReaderLockAsync(cancellationToken).AsTask();

    /// <summary>Adds the pages that are dirty or on their way to the device. Those that become so meanwhile are noted by whoever makes them (SH-2).</summary>
    internal void AddUnclean(PageSet pages)
    {
        const ulong Unclean = StateWord.Dirty | StateWord.WriteBack;
        for (long page = NextWith(Unclean, 0); page >= 0; page = NextWith(Unclean, page + 1))
        {
            pages.Add(page);
        }
    }
}
