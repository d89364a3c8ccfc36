namespace StorageCache.KeyValueStore.Tests;

/// <summary>A source of 200,000 bytes that stops, half way if nothing else is said, until it is released.</summary>
internal sealed class StalledStream(int stallAt = 100_000) : MemoryStream(new byte[200_000])
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Reached => _reached.Task;

    public void Release() => _released.SetResult();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= stallAt)
        {
            _reached.TrySetResult();
            await _released.Task;
        }

        return await base.ReadAsync(buffer, cancellationToken);
    }
}
