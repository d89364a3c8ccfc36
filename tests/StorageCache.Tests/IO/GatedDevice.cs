using StorageCache.IO;

namespace StorageCache.Tests.IO;

/// <summary>A device whose requests wait until a gate opens, and that counts how many run at once.</summary>
internal sealed class GatedDevice : IBlockDevice
{
    private readonly Lock _lock = new();
    private int _running;

    /// <summary>What carrying a request out throws.</summary>
    public Exception? Fault { get; set; }

    public ManualResetEventSlim Gate { get; } = new(initialState: true);

    public int MostAtOnce { get; private set; }

    public int Executed { get; private set; }

    public HashSet<int> Threads { get; } = [];

    public bool SawPoolThread { get; private set; }

    public List<long> Order { get; } = [];

    public string Name => "gated";

    public int Alignment => 1;

    public long Length => 0;

    public bool IsReadOnly => false;

    public void Submit(BlockRequest request) => throw new NotSupportedException();

    public void Execute(BlockRequest request)
    {
        lock (_lock)
        {
            MostAtOnce = Math.Max(MostAtOnce, ++_running);
            Executed++;
            Threads.Add(Environment.CurrentManagedThreadId);
            SawPoolThread |= Thread.CurrentThread.IsThreadPoolThread;
            Order.Add(request.Offset);
        }

        Gate.Wait();
        lock (_lock)
        {
            _running--;
        }

        if (Fault is not null)
        {
            throw Fault;
        }

        request.Complete(request.Operation == BlockOperation.Flush ? 0 : request.ByteCount);
    }

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
