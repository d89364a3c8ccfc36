using StorageCache.IO;
using StorageCache.KeyValueStore.Checkpoints;
using StorageCache.KeyValueStore.Commits;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Recovery;
using StorageCache.KeyValueStore.Space;
using StorageCache.KeyValueStore.Tree;

namespace StorageCache.KeyValueStore;

/// <summary>
/// An ordered store of byte-string keys and values: a B+tree in one file, whose pages live in a <see cref="PageCache"/>, and a write-ahead log in another
/// beside it.
/// </summary>
/// <remarks>
/// <para>Keys have 0 to 1,024 bytes and compare as unsigned bytes, lexicographically; values have 0 bytes to 64 MiB.</para>
/// <para>
/// Thread-safe. Any number of readers go on beside one writer; readers latch nothing while nobody changes what they read. Writers
/// take turns. A read sees one state of its key, and a scan sees each key at most once and every key that is there throughout.
/// A read may see a change that has not returned yet.
/// </para>
/// <para>
/// A change is durable when it returns (<see cref="KeyValueStoreOptions.Durability"/>), and a batch of changes happens wholly or not at all
/// (<see cref="WriteAsync"/>). After a crash, opening the store brings it to where the log says it was (<see cref="Recovery"/>).
/// </para>
/// <para>
/// Every operation throws <see cref="ObjectDisposedException"/> once the store is closed, <see cref="CorruptStoreException"/> when it meets
/// a page that cannot be right, and an <see cref="IOException"/> when the I/O below fails: the cache's <see cref="PageCacheException"/> for pages, the
/// device's own where the log has no room. A change that throws has not taken place, but for one that throws <see cref="StoreFailedException"/>:
/// whether that has taken place is known when the store has been opened anew.
/// </para>
/// <para>
/// The file format and the latching protocol, with the invariants KV-1 and following that are cited in the code, are in <c>docs/key-value-store.md</c>;
/// the log is in <c>docs/key-value-store-log.md</c>.
/// </para>
/// </remarks>
public sealed partial class KeyValueStore : IAsyncDisposable
{
    /// <summary>The longest key, in bytes.</summary>
    public const int MaximumKeyLength = 1024;

    /// <summary>The longest value, in bytes: 64 MiB.</summary>
    public const int MaximumValueLength = 64 << 20;

    private readonly KeyValueStoreOptions _options;
    private readonly Mapping _mapping;
    private readonly OwnCache? _ownCache;
    private readonly PageLimits _limits;
    private readonly PageImages _images;
    private readonly ActiveReads _activeReads;
    private readonly PageVerifier _verifier;
    private readonly PageAllocator _allocator;
    private readonly ValuePages _valuePages;
    private readonly TreeReader _reader;
    private readonly TreeWriter _writer;
    private readonly OverflowReader _overflowReader;
    private readonly OperationGate _gate = new();

    /// <summary>The log's file and the log; null in a store that is only read.</summary>
    private readonly IBlockDevice? _logDevice;
    private readonly WriteAheadLog? _log;
    private readonly Committer? _committer;
    private readonly StoreMeta? _meta;
    private readonly Checkpointer? _checkpointer;
    private readonly PeriodicFlush? _periodicFlush;

    /// <summary>Serialises changes, checks and clones, and the beginning of checkpoints; readers never wait for it (KV-12).</summary>
    private readonly SemaphoreSlim _writerLock = new(1, 1);

    /// <summary>Completes when the store is closed, or faults as the first close did.</summary>
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What the meta page said when the store had been opened.</summary>
    private readonly MetaPage _openedMeta;

    private TreeCounts _counts;

    private KeyValueStore(OpenedStore opened, KeyValueStoreOptions options, OwnCache? ownCache)
    {
        _options = options;
        _mapping = opened.Mapping;
        _ownCache = ownCache;
        _limits = opened.Limits;
        _images = new PageImages(opened.Limits.PageSize);
        _activeReads = opened.ActiveReads;
        _verifier = opened.Verifier;
        _allocator = opened.Allocator;
        _valuePages = new ValuePages(_mapping, _allocator, _limits, _verifier);
        _reader = new TreeReader(_mapping, opened.Root, _allocator, _verifier);
        _writer = new TreeWriter(_mapping, _allocator, _limits, _verifier);
        _overflowReader = new OverflowReader(_mapping, _limits, _verifier);
        _counts = opened.Meta.Contents.Counts;
        Recovery = opened.Recovery;
        _openedMeta = opened.Meta;
        _logDevice = opened.LogDevice;
        if (opened.Log is not { } log)
        {
            return;
        }

        _log = log;
        _meta = new StoreMeta(_mapping, opened.Meta);
        _committer = new Committer(_mapping, log, _allocator, _limits, opened.Meta.RedoPoint);
        _checkpointer = new Checkpointer(_mapping, log, _meta, BeginCheckpointAsync, options.CheckpointBytes, options.TimeProvider);
        if (options.Durability == KeyValueDurability.Written)
        {
            _periodicFlush = new PeriodicFlush(log, options.FlushInterval, options.TimeProvider);
        }
    }

    /// <summary>The store's file.</summary>
    public string Path => _mapping.Path;

    /// <summary>The cache the store's pages live in.</summary>
    public PageCache Cache => _mapping.Cache;

    /// <summary>Bytes of a page.</summary>
    public int PageSize => _limits.PageSize;

    /// <summary>Whether changes are refused.</summary>
    public bool IsReadOnly => _mapping.IsReadOnly;

    /// <summary>Keys in the store.</summary>
    public long Count => Counts.Entries;

    /// <summary>What opening the store had to do.</summary>
    public RecoveryReport Recovery { get; }

    private TreeCounts Counts => Volatile.Read(ref _counts);

    /// <summary>What the store holds and what its pages are used for. Never waits; numbers of a change in progress may be missing in part.</summary>
    public KeyValueStoreStatistics GetStatistics()
    {
        TreeCounts counts = Counts;
        LogStatistics log = _log?.Statistics ?? default;
        return new KeyValueStoreStatistics
        {
            PageSize = PageSize,
            PageCount = _allocator.PageCount,
            Height = counts.Height,
            Entries = counts.Entries,
            KeyBytes = counts.KeyBytes,
            ValueBytes = counts.ValueBytes,
            LeafPages = counts.LeafPages,
            BranchPages = counts.BranchPages,
            OverflowPages = counts.OverflowPages,
            MapPages = _allocator.MapPages,
            FreePages = _allocator.FreePages,
            LogBytes = log.BytesSinceRedoPoint,
            LogFlushes = log.Flushes,
            LogCommits = log.Commits,
            Checkpoints = _checkpointer?.Completed ?? 0,
        };
    }

    private static void ValidateKey(int length)
    {
        if (length > MaximumKeyLength)
        {
            Throw.KeyTooLong(length);
        }
    }

    private OperationGate.Ticket Enter()
    {
        if (!_gate.TryEnter(out OperationGate.Ticket ticket))
        {
            Throw.Closed(Path);
        }

        return ticket;
    }

    private async ValueTask<WriterScope> EnterWriterAsync(CancellationToken cancellationToken)
    {
        OperationGate.Ticket ticket = Enter();
        try
        {
            await _writerLock.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            ticket.Dispose();
            throw;
        }

        return new WriterScope(ticket, _writerLock);
    }
}
