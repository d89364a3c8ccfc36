using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Space;
using StorageCache.KeyValueStore.Tree;

namespace StorageCache.KeyValueStore;

/// <summary>
/// An ordered store of byte-string keys and values in one file: a B+tree whose pages live in a <see cref="PageCache"/>.
/// </summary>
/// <remarks>
/// <para>Keys have 0 to 1,024 bytes and compare as unsigned bytes, lexicographically; values have 0 bytes to 64 MiB.</para>
/// <para>
/// Thread-safe. Any number of readers go on beside one writer; readers latch nothing while nobody changes what they read. Writers
/// take turns. A read sees one state of its key, and a scan sees each key at most once and every key that is there throughout.
/// </para>
/// <para>
/// Changes are durable when <see cref="FlushAsync"/> or <see cref="CloseAsync"/> has returned. A process that ends between a change and
/// the next flush leaves a file that <see cref="OpenAsync(PageCache, string, KeyValueStoreOptions?, CancellationToken)"/> refuses.
/// </para>
/// <para>
/// Every operation throws <see cref="ObjectDisposedException"/> once the store is closed, <see cref="CorruptStoreException"/> when it meets
/// a page that cannot be right, and the cache's <see cref="PageCacheException"/> when the I/O below fails; a change that throws has not
/// taken place.
/// </para>
/// <para>The file format and the latching protocol, with the invariants KV-1 to KV-14 cited in the code, are in <c>docs/key-value-store.md</c>.</para>
/// </remarks>
public sealed partial class KeyValueStore : IAsyncDisposable
{
    /// <summary>The longest key, in bytes.</summary>
    public const int MaximumKeyLength = 1024;

    /// <summary>The longest value, in bytes: 64 MiB.</summary>
    public const int MaximumValueLength = 64 << 20;

    private readonly Mapping _mapping;
    private readonly OwnCache? _ownCache;
    private readonly PageLimits _limits;
    private readonly ActiveReads _activeReads;
    private readonly PageVerifier _verifier;
    private readonly PageAllocator _allocator;
    private readonly TreeReader _reader;
    private readonly TreeWriter _writer;
    private readonly OverflowReader _overflowReader;
    private readonly OperationGate _gate = new();

    /// <summary>Serialises changes, flushes, checks and clones; readers never wait for it (KV-12).</summary>
    private readonly SemaphoreSlim _writerLock = new(1, 1);

    /// <summary>Completes when the store is closed, or faults as the first close did.</summary>
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ulong _flushSequence;

    /// <summary>Whether the meta page on the device may say clean; then a change makes it say in flux first.</summary>
    private bool _mayBeClean = true;

    /// <summary>Whether anything may be different on the device from what the last completed flush left there.</summary>
    private bool _needsFlush;

    private KeyValueStore(Mapping mapping, OwnCache? ownCache, PagePin root, MetaPage meta)
    {
        _mapping = mapping;
        _ownCache = ownCache;
        _limits = new PageLimits(meta.PageSize);
        _flushSequence = meta.FlushSequence;
        _activeReads = new ActiveReads();
        _verifier = new PageVerifier(mapping);
        _allocator = new PageAllocator(mapping, _limits, _activeReads, _verifier);
        _allocator.Restore(meta.PageCount, meta.FreeHead, meta.FreePages);
        _reader = new TreeReader(mapping, root, _allocator, _verifier);
        _writer = new TreeWriter(mapping, _allocator, _limits, _verifier, meta.Counts);
        _overflowReader = new OverflowReader(mapping, _limits, _verifier);
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
    public long Count => _writer.Counts.Entries;

    /// <summary>What the store holds and what its pages are used for. Never waits; numbers of a change in progress may be missing in part.</summary>
    public KeyValueStoreStatistics GetStatistics()
    {
        TreeCounts counts = _writer.Counts;
        long pages = _allocator.PageCount;
        return new KeyValueStoreStatistics
        {
            PageSize = PageSize,
            PageCount = pages,
            Height = counts.Height,
            Entries = counts.Entries,
            KeyBytes = counts.KeyBytes,
            ValueBytes = counts.ValueBytes,
            LeafPages = counts.LeafPages,
            BranchPages = counts.BranchPages,
            OverflowPages = counts.OverflowPages,
            FreePages = _allocator.FreePages + _allocator.DetachedPages,
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
