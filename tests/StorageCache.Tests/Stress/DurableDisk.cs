using System.Collections.Concurrent;
using StorageCache.IO;
using StorageCache.Tests.Harness;

namespace StorageCache.Tests.Stress;

/// <summary>
/// A disk of pages that say what they were marked with (<see cref="LoggedPages"/>): it looks at each page that arrives whether the log has
/// it, knows what of each page has become durable, carries requests out in any order, and fails writes now and then.
/// </summary>
internal sealed class DurableDisk : IBlockDevice
{
    private const int PageSize = 4096;

    private readonly MemoryBlockDevice _memory;
    private readonly LaggingLog _log;
    private readonly Random _random;
    private readonly Lock _lock = new();
    private readonly List<BlockRequest> _queue = [];
    private readonly Dictionary<BlockRequest, ulong[]> _syncs = [];
    private readonly ulong[] _durable;
    private readonly Thread _thread;
    private volatile bool _stop;

    public DurableDisk(int pages, LaggingLog log, int seed)
    {
        _memory = new MemoryBlockDevice("durable", pages * (long)PageSize);
        _log = log;
        _random = new Random(seed);
        _durable = new ulong[pages];
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    /// <summary>Pages that arrived too early.</summary>
    public ConcurrentQueue<string> Early { get; } = [];

    /// <summary>Whether nothing fails.</summary>
    public bool IsGood { get; set; }

    public string Name => _memory.Name;

    public int Alignment => 1;

    public long Length => _memory.Length;

    public bool IsReadOnly => false;

    /// <summary>What a page bears that has become durable.</summary>
    public ulong DurableOf(int page)
    {
        lock (_lock)
        {
            return _durable[page];
        }
    }

    public void Submit(BlockRequest request)
    {
        Check(request);
        lock (_lock)
        {
            if (request.Operation == BlockOperation.Flush)
            {
                // A flush covers what was complete when it was submitted, and no more.
                _syncs[request] = [.. Enumerable.Range(0, _durable.Length).Select(page => Read(page))];
            }

            _queue.Add(request);
        }
    }

    public void Execute(BlockRequest request)
    {
        Check(request);
        Carry(request, fails: false);
    }

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => _memory.SetLengthAsync(length, cancellationToken);

    public ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken) =>
        offset % (2 * PageSize) == 0 ? _memory.TryPunchAsync(offset, length, cancellationToken) : new ValueTask<bool>(false);

    public ValueTask DisposeAsync()
    {
        _stop = true;
        _thread.Join();
        return ValueTask.CompletedTask;
    }

    private ulong Read(int page)
    {
        Span<byte> bytes = stackalloc byte[8];
        return _memory.Read(page * (long)PageSize, bytes) == 8 ? LoggedPages.Read(bytes) : 0;
    }

    private void Check(BlockRequest request)
    {
        if (request.Operation != BlockOperation.Write)
        {
            return;
        }

        long page = request.Offset / PageSize;
        foreach (BlockSegment segment in request.Segments)
        {
            ulong lsn = Math.Max(LoggedPages.Read(segment.Span), LoggedPages.Read(segment.Span[^8..]));
            ulong durable = _log.DurableLsn;
            if (lsn > durable)
            {
                Early.Enqueue($"page {page} bears {lsn}, and the log is durable up to {durable}");
            }

            page++;
        }
    }

    private void Run()
    {
        while (!_stop)
        {
            BlockRequest? request = null;
            bool fails = false;
            lock (_lock)
            {
                if (_queue.Count > 0)
                {
                    int index = _random.Next(_queue.Count);
                    request = _queue[index];
                    _queue.RemoveAt(index);
                    fails = !IsGood && request.Operation == BlockOperation.Write && _random.Next(50) == 0;
                }
            }

            if (request is null)
            {
                Thread.Yield();
            }
            else
            {
                Carry(request, fails);
            }
        }
    }

    private void Carry(BlockRequest request, bool fails)
    {
        if (fails)
        {
            request.Fail(new BlockIOException("failed by chance", 5));
            return;
        }

        int transferred = 0;
        if (request.Operation == BlockOperation.Flush)
        {
            lock (_lock)
            {
                _syncs.Remove(request, out ulong[]? synced);
                for (int page = 0; page < _durable.Length; page++)
                {
                    _durable[page] = Math.Max(_durable[page], synced![page]);
                }
            }
        }
        else
        {
            // What it holds by now stands still since it arrived.
            Check(request);
            foreach (BlockSegment segment in request.Segments)
            {
                if (request.Operation == BlockOperation.Write)
                {
                    _memory.Write(request.Offset + transferred, segment.Span);
                    transferred += segment.Length;
                }
                else
                {
                    transferred += _memory.Read(request.Offset + transferred, segment.Span);
                }
            }
        }

        request.Complete(transferred);
    }
}
