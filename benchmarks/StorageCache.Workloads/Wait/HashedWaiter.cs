using System.Threading.Tasks.Sources;

namespace StorageCache.Workloads.Wait;

/// <summary>One parked waiter of a <see cref="HashedWaitTable"/>. Reused; resumes its continuation where it is woken.</summary>
internal sealed class HashedWaiter : IValueTaskSource
{
    /// <summary>The neighbours in the queue, or in the list of those who are about to be woken.</summary>
    public HashedWaiter? Next, Previous;

    /// <summary>What is waited for.</summary>
    public long Key;

    private readonly HashedWaitTable _table;
    private ManualResetValueTaskSourceCore<bool> _core;

    /// <summary>Makes a waiter of a table.</summary>
    public HashedWaiter(HashedWaitTable table) => _table = table;

    /// <summary>The task to await; one await per park.</summary>
    public ValueTask Task => new(this, _core.Version);

    /// <summary>Resumes whoever awaits.</summary>
    public void Complete() => _core.SetResult(true);

    /// <inheritdoc/>
    public void GetResult(short token)
    {
        _core.GetResult(token);
        _core.Reset();
        _table.Return(this);
    }

    /// <inheritdoc/>
    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    /// <inheritdoc/>
    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
