using System.Threading.Tasks.Sources;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>What an idle writer loop awaits. It goes on on the thread pool.</summary>
internal sealed class LoopSignal : IValueTaskSource, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<bool> _core;

    /// <summary>Completes with the next <see cref="Set"/>.</summary>
    public ValueTask Task => new(this, _core.Version);

    /// <summary>Makes it ready for another wait.</summary>
    public void Reset() => _core.Reset();

    /// <summary>Wakes the loop: once after each <see cref="Reset"/>.</summary>
    public void Set() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    void IThreadPoolWorkItem.Execute() => _core.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
