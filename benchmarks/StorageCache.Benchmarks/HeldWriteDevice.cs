using StorageCache.IO;
using StorageCache.Workloads.Devices;

namespace StorageCache.Benchmarks;

/// <summary>A device whose writes do not complete until they are let go, so that a page stays under write-back.</summary>
internal sealed class HeldWriteDevice(long length, int pageSize) : IBlockDevice
{
    private readonly StampedDevice _inner = new(length, pageSize);
    private readonly List<BlockRequest> _held = [];
    private readonly Lock _lock = new();

    /// <summary>How many writes are held; their pages are under write-back.</summary>
    public int HeldCount
    {
        get
        {
            lock (_lock)
            {
                return _held.Count;
            }
        }
    }

    /// <inheritdoc/>
    public string Name => "held";

    /// <inheritdoc/>
    public int Alignment => _inner.Alignment;

    /// <inheritdoc/>
    public long Length => _inner.Length;

    /// <inheritdoc/>
    public bool IsReadOnly => false;

    /// <summary>Completes every write that is held.</summary>
    public void LetGo()
    {
        BlockRequest[] requests;
        lock (_lock)
        {
            requests = [.. _held];
            _held.Clear();
        }

        foreach (BlockRequest request in requests)
        {
            _inner.Execute(request);
        }
    }

    /// <inheritdoc/>
    public void Submit(BlockRequest request)
    {
        if (request.Operation != BlockOperation.Write)
        {
            _inner.Submit(request);
            return;
        }

        lock (_lock)
        {
            _held.Add(request);
        }
    }

    /// <inheritdoc/>
    public void Execute(BlockRequest request) => _inner.Execute(request);

    /// <inheritdoc/>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => _inner.SetLengthAsync(length, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();
}
