using StorageCache.IO;

namespace StorageCache.Tests.Stress;

/// <summary>A memory device that asks before it does something; the answer may be long in coming.</summary>
internal sealed class HookedDevice : IBlockDevice
{
    /// <summary>What the device holds.</summary>
    public MemoryBlockDevice Inner { get; } = new("hooked");

    /// <summary>Comes before each transfer; false makes it fail.</summary>
    public Func<BlockRequest, Task<bool>> BeforeTransfer { get; set; } = static _ => Task.FromResult(true);

    /// <summary>Comes before each change of length.</summary>
    public Func<Task> BeforeSetLength { get; set; } = static () => Task.CompletedTask;

    public string Name => Inner.Name;

    public int Alignment => 1;

    public long Length => Inner.Length;

    public bool IsReadOnly => false;

    public void Submit(BlockRequest request) => _ = RunAsync(request);

    public void Execute(BlockRequest request) => RunAsync(request).GetAwaiter().GetResult();

    public async ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        await BeforeSetLength();
        await Inner.SetLengthAsync(length, cancellationToken);
    }

    public ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken) => Inner.TryPunchAsync(offset, length, cancellationToken);

    public ValueTask DisposeAsync() => Inner.DisposeAsync();

    private async Task RunAsync(BlockRequest request)
    {
        if (request.Operation == BlockOperation.Flush || await BeforeTransfer(request))
        {
            Inner.Execute(request);
        }
        else
        {
            request.Fail(new BlockIOException($"{request.Operation} at {request.Offset} was made to fail.", 5));
        }
    }
}
