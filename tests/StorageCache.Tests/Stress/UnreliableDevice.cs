using StorageCache.IO;

namespace StorageCache.Tests.Stress;

/// <summary>
/// A memory device that takes its time and fails now and then, by a seed: reads and writes fail without having happened,
/// or half way through. Flushes succeed. Turned off, it is a perfect device.
/// </summary>
internal sealed class UnreliableDevice : IBlockDevice
{
    private readonly Random _random;
    private readonly Lock _lock = new();
    private int _pending;

    /// <param name="seed">Decides delays and failures.</param>
    /// <param name="failures">The part of all transfers that fail.</param>
    public UnreliableDevice(int seed, double failures)
    {
        _random = new Random(seed);
        Failures = failures;
    }

    /// <summary>What the device holds.</summary>
    public MemoryBlockDevice Inner { get; } = new("unreliable");

    /// <summary>The part of all transfers that fail.</summary>
    public double Failures { get; set; }

    /// <summary>Requests under way.</summary>
    public int Pending => Volatile.Read(ref _pending);

    public string Name => Inner.Name;

    public int Alignment => 512;

    public long Length => Inner.Length;

    public bool IsReadOnly => false;

    public void Submit(BlockRequest request)
    {
        int delay = Next(20);
        if (delay > 10)
        {
            Execute(request);
            return;
        }

        // Not the pool's threads: the tests' own tasks may fill it.
        _ = Task.Factory.StartNew(() => Run(request, delay - 6), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public void Execute(BlockRequest request) => Run(request, Next(40) - 38);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => Inner.SetLengthAsync(length, cancellationToken);

    public async ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken)
    {
        // Time for others on both sides of it.
        await Task.Delay(Next(3), CancellationToken.None);
        bool isPunched = await Inner.TryPunchAsync(offset, length, CancellationToken.None);
        await Task.Delay(Next(3), CancellationToken.None);
        return isPunched;
    }

    public ValueTask DisposeAsync() => Inner.DisposeAsync();

    private void Run(BlockRequest request, int milliseconds)
    {
        Interlocked.Increment(ref _pending);
        if (milliseconds > 0)
        {
            Thread.Sleep(milliseconds);
        }

        bool fails = request.Operation != BlockOperation.Flush && Next(10_000) < Failures * 10_000;
        if (!fails)
        {
            Interlocked.Decrement(ref _pending);
            Inner.Execute(request);
            return;
        }

        if (request.Operation == BlockOperation.Write && Next(2) == 0)
        {
            // As far as it came: whole sectors of the first page.
            Inner.Write(request.Offset, request.Segments[0].Span[..(request.Segments[0].Length / 1024 * 512)]);
        }
        else if (request.Operation == BlockOperation.Read)
        {
            request.Segments[0].Span.Fill(0xEE);
        }

        Interlocked.Decrement(ref _pending);
        request.Fail(new BlockIOException($"{request.Operation} at {request.Offset} was made to fail.", 5));
    }

    private int Next(int below)
    {
        lock (_lock)
        {
            return _random.Next(below);
        }
    }
}
