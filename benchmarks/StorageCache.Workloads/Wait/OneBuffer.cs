using System.Diagnostics;
using StorageCache.Workloads.Devices;

namespace StorageCache.Workloads.Wait;

/// <summary>Everybody waits for one page. Used from one thread.</summary>
internal sealed class OneBuffer : IAsyncDisposable
{
    private const int PageSize = 4096;
    private const int PageCount = 16;
    private const long MemoryLimit = 16L << 20;

    private readonly PageCache _cache;
    private readonly Mapping _mapping;
    private readonly OneBufferWaiter<PageReadLease>[] _readers;
    private readonly OneBufferWaiter<PageWriteLease>[] _writers;
    private OneBufferWaiter<PageWriteLease>? _granted;
    private int _remaining;

    private OneBuffer(PageCache cache, Mapping mapping, int waiters)
    {
        _cache = cache;
        _mapping = mapping;
        _readers = new OneBufferWaiter<PageReadLease>[waiters];
        _writers = new OneBufferWaiter<PageWriteLease>[waiters];
        for (int i = 0; i < waiters; i++)
        {
            _readers[i] = new OneBufferWaiter<PageReadLease>(OnReaderResumed);
            _writers[i] = new OneBufferWaiter<PageWriteLease>(OnWriterResumed);
        }
    }

    /// <summary>Prepares the waiters.</summary>
    public static async Task<OneBuffer> CreateAsync(int waiters)
    {
        PageCache cache = new(new PageCacheOptions { MemoryLimit = MemoryLimit, PageSize = PageSize, AllowSynchronousContinuations = true });
        Mapping mapping = await cache.OpenAsync(new StampedDevice(PageCount * PageSize, PageSize));
        return new OneBuffer(cache, mapping, waiters);
    }

    /// <summary>Releases a page that all readers wait for; each gives its lease back as soon as it has it.</summary>
    /// <returns>Microseconds from the release until all have come and gone, per waiter.</returns>
    public double WakeReaders()
    {
        _remaining = _readers.Length;
        PageWriteLease lease = _mapping.Write(0);
        foreach (OneBufferWaiter<PageReadLease> reader in _readers)
        {
            reader.Park(_mapping.ReadAsync(0));
        }

        long start = Stopwatch.GetTimestamp();
        lease.Dispose();
        return MicrosecondsPerWaiter(start, _readers.Length);
    }

    /// <summary>
    /// Releases a page that all writers wait for; each hands it on to the next. A writer releases after the one before
    /// it has returned, so the stack stays as deep as it is for one.
    /// </summary>
    /// <returns>Microseconds from the release until all have come and gone, per waiter.</returns>
    public double HandOverToWriters()
    {
        _remaining = _writers.Length;
        PageWriteLease lease = _mapping.Write(0);
        foreach (OneBufferWaiter<PageWriteLease> writer in _writers)
        {
            writer.Park(_mapping.WriteAsync(0));
        }

        long start = Stopwatch.GetTimestamp();
        lease.Dispose();
        while (_granted is { } writer)
        {
            _granted = null;
            writer.Release();
        }

        return MicrosecondsPerWaiter(start, _writers.Length);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _mapping.DisposeAsync();
        await _cache.DisposeAsync();
    }

    private void OnReaderResumed(OneBufferWaiter<PageReadLease> reader)
    {
        reader.Release();
        _remaining--;
    }

    private void OnWriterResumed(OneBufferWaiter<PageWriteLease> writer)
    {
        _granted = writer;
        _remaining--;
    }

    private double MicrosecondsPerWaiter(long start, int waiters)
    {
        double elapsed = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        return _remaining == 0
            ? elapsed / waiters
            : throw new WorkloadFailedException($"{_remaining} of {waiters} waiters for one page did not resume on the thread that released it.");
    }
}
