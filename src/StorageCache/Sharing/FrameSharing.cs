using System.Diagnostics;
using StorageCache.Frames;

namespace StorageCache.Sharing;

/// <summary>
/// What all mappings of a cache need in order to share frames: the indexes that frames are found by, the hash and what
/// came of it all. Thread-safe.
/// </summary>
internal sealed unsafe class FrameSharing
{
    private readonly CacheCore _core;
    private long _lastIdentity;
    private long _readsAvoided;
    private long _hashTicks;
    private long _pagesHashed;

    public FrameSharing(CacheCore core, PageHasher hasher)
    {
        _core = core;
        Hasher = hasher;
        ByExtent = new FrameIndex(core.Frames, FrameMarks.ByExtent);
        ByContent = new FrameIndex(core.Frames, FrameMarks.ByContent);
        core.Frames.FindBy([ByExtent, ByContent]);
        Scanner = new ContentScanner(core);
    }

    /// <summary>Finds frames by the extents that their bytes come from.</summary>
    public FrameIndex ByExtent { get; }

    /// <summary>Finds frames by the hash of their bytes.</summary>
    public FrameIndex ByContent { get; }

    /// <summary>The search for equal pages among those that are in memory.</summary>
    public ContentScanner Scanner { get; }

    /// <summary>What pages are hashed with.</summary>
    public PageHasher Hasher { get; }

    /// <summary>Pages that needed no read, because a page with the same place on the device was in memory.</summary>
    public long ReadsAvoided => Volatile.Read(ref _readsAvoided);

    /// <summary>Pages that were hashed.</summary>
    public long PagesHashed => Volatile.Read(ref _pagesHashed);

    /// <summary>How long hashing has taken, in all.</summary>
    public TimeSpan HashTime => Stopwatch.GetElapsedTime(0, Volatile.Read(ref _hashTicks));

    /// <summary>Bytes of pages that take no frame of their own, less the metadata that this takes.</summary>
    public long BytesSaved =>
        (_core.Protection.Owners.FurtherOwners * (long)(_core.PageSize - Buffers.BufferHead.SizeInBytes)) - ByExtent.Bytes - ByContent.Bytes;

    /// <summary>
    /// What a mapping of a domain shares; null for nothing. Gives the index of contents its memory, and starts the scan, with the first
    /// mapping that needs it.
    /// </summary>
    /// <exception cref="CacheFullException">The memory limit has no room for the index, and nothing can be evicted for it.</exception>
    public MappingSharing? JoinDomain(SharingDomain domain, bool sharesExtents)
    {
        if (domain.SharesContent && !TryActivate(ByContent))
        {
            throw Throw.MakeNoRoomForIndex(_core.Cache, domain);
        }

        if (domain.SharesContent)
        {
            Scanner.Start();
        }

        return domain.SharesContent || domain.IsHardened || (domain.SharesExtents && sharesExtents)
            ? new MappingSharing(domain, sharesExtents && domain.SharesExtents)
            : null;
    }

    /// <summary>Gives an index its memory, if it has none, evicting pages if need be. Returns false if there is none to be had.</summary>
    public bool TryActivate(FrameIndex index)
    {
        int capacity = _core.FrameCapacity;
        return index.IsActive || (_core.TryTakeRoom(FrameIndex.BucketBytesFor(capacity)) && index.TryActivate(capacity));
    }

    /// <summary>A number for a run of pages, which no other run has had.</summary>
    public ulong NextIdentity() => (ulong)Interlocked.Increment(ref _lastIdentity);

    /// <summary>What a page of a domain is found by.</summary>
    public FrameKey KeyOf(MappingSharing sharing, ReadOnlySpan<byte> page)
    {
        long began = Stopwatch.GetTimestamp();
        UInt128 hash = Hasher.Hash(page);
        Interlocked.Add(ref _hashTicks, Stopwatch.GetTimestamp() - began);
        Interlocked.Increment(ref _pagesHashed);
        return new FrameKey((ulong)hash, (ulong)(hash >> 64), sharing.DomainNumber);
    }

    /// <summary>
    /// A frame that has the same bytes as another, with a reference; zero if there is none in the domain. Bytes decide, never hashes:
    /// whoever has a reference to a frame that was found can be sure of its bytes (F-10).
    /// </summary>
    public uint TryTakeEqual(in FrameKey key, uint frame)
    {
        uint found = ByContent.TryTake(key);
        if (found == 0)
        {
            return 0;
        }

        FramePool frames = _core.Frames;
        if (found != frame && new ReadOnlySpan<byte>(frames.Address(found), frames.PageSize).SequenceEqual(new ReadOnlySpan<byte>(frames.Address(frame), frames.PageSize)))
        {
            return found;
        }

        if (found != frame)
        {
            _core.Protection.Counters.Refused(ProtectionRefusal.Different);
        }

        // Whose page this is for may be claimed still: nobody else's code runs here.
        _core.DropFrameQuietly(found);
        return 0;
    }

    /// <summary>Counts a read that was not needed.</summary>
    public void AvoidedRead() => Interlocked.Increment(ref _readsAvoided);
}
