using System.Threading.Tasks.Sources;
using StorageCache.IO;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>A request that can be awaited, over and over, without allocating. What awaits it goes on on the thread pool, never on the device's thread.</summary>
internal sealed unsafe class LogTransfer : BlockRequest, IValueTaskSource<int>, IThreadPoolWorkItem
{
    /// <summary>A segment's header, and data on both sides of the end of a ring.</summary>
    private const int MostPieces = 3;

    private readonly string _device;

    private ManualResetValueTaskSourceCore<int> _core;

    /// <summary>What came of the transfer, from its completion to the thread pool.</summary>
    private (int Bytes, IOException? Error) _outcome;

    /// <summary>Whether the device has completed the transfer.</summary>
    private volatile bool _isComplete;

    /// <param name="device">What messages call the device.</param>
    public LogTransfer(string device)
        : base(MostPieces) => _device = device;

    /// <summary>Whether the device threw: it may come back to this object, so another one has to be used from now on.</summary>
    public bool IsSpent { get; private set; }

    /// <summary>Prepares a transfer without memory.</summary>
    public void Prepare(BlockOperation operation, long offset) => Reset(operation, offset);

    /// <summary>Adds memory.</summary>
    public void Add(byte* address, int length) => Append(new BlockSegment(address, length));

    /// <summary>Starts the transfer; ends with the bytes transferred or an <see cref="IOException"/>.</summary>
    public ValueTask<int> RunAsync(IBlockDevice device)
    {
        _core.Reset();
        _isComplete = false;
        short version = _core.Version;
        try
        {
            device.Submit(this);
        }
        catch (Exception error)
        {
            IsSpent = true;
            if (!_isComplete)
            {
                Fail(error as IOException ?? new IOException($"{Operation} at offset {Offset} of '{_device}' failed: {error.Message}", error));
            }
        }

        return new ValueTask<int>(this, version);
    }

    int IValueTaskSource<int>.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    void IThreadPoolWorkItem.Execute()
    {
        (int bytes, IOException? error) = _outcome;
        _outcome = default;
        if (error is null)
        {
            _core.SetResult(bytes);
        }
        else
        {
            _core.SetException(error);
        }
    }

    /// <inheritdoc/>
    protected override void OnCompleted(int bytesTransferred, IOException? error)
    {
        _isComplete = true;
        _outcome = (bytesTransferred, error);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
