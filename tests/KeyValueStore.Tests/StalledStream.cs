namespace StorageCache.KeyValueStore.Tests;

/// <summary>A source of 200,000 bytes that stops half way until it is released.</summary>
internal sealed class StalledStream : MemoryStream
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StalledStream()
        : base(new byte[200_000])
    {
    }

    public Task Reached => _reached.Task;

    public void Release() => _released.SetResult();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position > 100_000)
        {
            _reached.TrySetResult();
            await _released.Task;
        }

        return await base.ReadAsync(buffer, cancellationToken);
    }
}
