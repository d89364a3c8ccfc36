using System.Runtime.CompilerServices;
using Nito.AsyncEx;
using StorageCache.Buffers;
using StorageCache.Diagnostics;
using StorageCache.IO;
using StorageCache.Mappings;
using StorageCache.Sharing;
using StorageCache.Writeback;

namespace StorageCache;

/// <summary>
/// One file (or device) in a <see cref="PageCache"/>: the way to its pages. Made by
/// <see cref="PageCache.OpenAsync(string, MappingOptions?, CancellationToken)"/>.
/// </summary>
/// <remarks>
/// <para>
/// However often and under whatever name a file is opened, it has one mapping; each open is matched by one
/// <see cref="CloseAsync"/> or <see cref="DisposeAsync"/>, and the last one closes it.
/// </para>
/// <para>
/// Every way to a page has three forms: <c>Try</c> never waits and does no I/O; the synchronous form blocks the calling
/// thread and no other; the asynchronous form completes synchronously if the page can be had at once.
/// </para>
/// <para>Thread safety: all members may be called from any thread at any time.</para>
/// </remarks>
public sealed partial class Mapping : IAsyncDisposable
{
    private readonly CacheCore _core;
    private readonly PageTable _table;
    private readonly HitCells _hits;
    private readonly DirtyThrottle _throttle;
    private readonly unsafe byte* _framesBase;
    private readonly unsafe byte* _readBase;
    private readonly unsafe BufferHead* _heads;
    private readonly int _pageShift;
    private readonly int _number;
    private readonly int _stealLimit;
    private readonly AsyncReaderWriterLock _lifetime = new();
    private readonly bool _ownsDevice;
    private long _residentPages;
    private readonly Lock _stateLock = new();

    /// <summary>Changed under the lock while a sync may fail: that of a flush that was cancelled runs on, and nobody waits for it.</summary>
    private volatile MappingState _state;
    private Exception? _failure;

    internal unsafe Mapping(CacheCore core, int number, IBlockDevice device, FileIdentity? identity, SharingDomain domain, MappingSharing? sharing, PageCodec? codec, bool isReadOnly, bool ownsDevice)
    {
        _core = core;
        _number = number;
        _table = new PageTable(core.PageTables, number);
        _hits = core.Hits.Cells;
        _heads = core.Heads.Base;
        _throttle = core.WriteBack.Throttle;
        _framesBase = core.Frames.Base;
        _readBase = core.Frames.ReadBase;
        _pageShift = core.PageShift;
        _stealLimit = core.Options.StealLimit;
        _syncs = new SyncGroup(SyncAsync);
        _failedPages = new FailedPages(this);
        _length = DeviceBoundary.LengthOf(device);
        _contentLength = _length;
        _ownsDevice = ownsDevice;
        Device = device;
        Identity = identity;
        SharingDomain = domain;
        Sharing = sharing;
        IsReadOnly = isReadOnly;
        PageSize = core.PageSize;
        Codec = codec;
        UsablePageSize = core.PageSize - (codec?.TrailerSize ?? 0);
        Path = device.Name;

        // What the device holds may have got no further than a volatile cache.
        NoteUntagged();
    }

    /// <summary>The cache that the mapping belongs to.</summary>
    public PageCache Cache => _core.Cache;

    /// <summary>Full path of the file, or name of the device.</summary>
    public string Path { get; }

    /// <summary>Bytes per page.</summary>
    public int PageSize { get; }

    /// <summary>
    /// Bytes per page that are the engine's own, and that leases show: <see cref="PageSize"/> less what the codec keeps at the end of each
    /// stored page.
    /// </summary>
    public int UsablePageSize { get; }

    /// <summary>What pages are encoded with as they are stored, and decoded as they are loaded; null for nothing.</summary>
    public PageCodec? Codec { get; }

    /// <summary>Whether the mapping takes no changes.</summary>
    public bool IsReadOnly { get; }

    /// <summary>Whether I/O passes the kernel's page cache by.</summary>
    public bool IsDirect => Device is FileBlockDevice { IsDirect: true };

    /// <summary>With whom the mapping may share frames.</summary>
    public SharingDomain SharingDomain { get; }

    /// <summary>Where the mapping is in its life.</summary>
    public MappingState State => _state;

    /// <summary>
    /// What the sync failed with that has made the mapping <see cref="MappingState.Failed"/>; null if none has. There before the state says so,
    /// and still there when the mapping has been closed.
    /// </summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>How many of the mapping's pages are in memory.</summary>
    public long ResidentPages => Volatile.Read(ref _residentPages);

    /// <summary>What the mapping reads from and writes to.</summary>
    internal IBlockDevice Device { get; }

    /// <summary>Which file it is; null for a device that the caller made.</summary>
    internal FileIdentity? Identity { get; }

    /// <summary>The mapping's place in the cache's table.</summary>
    internal int Number => _number;

    /// <summary>The page table.</summary>
    internal PageTable Table => _table;

    /// <summary>What all mappings of the cache share.</summary>
    internal CacheCore Core => _core;

    /// <summary>Address of a frame's bytes, for those who may change them: who has the write lease, or fills the frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal unsafe byte* AddressOf(uint frame) => _framesBase + ((long)frame << _pageShift);

    /// <summary>Address of a frame's bytes for those who only read them (P-20).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal unsafe byte* ReadAddressOf(uint frame) => _readBase + ((long)frame << _pageShift);

    /// <summary>Number of the page that a slot belongs to; to be trusted while the page is held.</summary>
    internal unsafe long PageOf(Slot* slot) => _core.PageTables.PageOf(slot);

    /// <summary>The buffer head of a page that is held.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal unsafe BufferHead* HeadOf(Slot* slot) => _heads + slot->Head;
}
