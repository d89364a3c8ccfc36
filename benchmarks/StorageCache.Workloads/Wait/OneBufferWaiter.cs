using System.Runtime.CompilerServices;

namespace StorageCache.Workloads.Wait;

/// <summary>A waiter for the one page, reused in every round.</summary>
/// <typeparam name="TLease">The kind of lease it waits for.</typeparam>
internal sealed class OneBufferWaiter<TLease>
    where TLease : struct, IDisposable
{
    private readonly Action<OneBufferWaiter<TLease>> _resumed;
    private readonly Action _continuation;
    private ConfiguredValueTaskAwaitable<TLease>.ConfiguredValueTaskAwaiter _awaiter;

    /// <summary>Makes a waiter.</summary>
    /// <param name="resumed">Called each time it has been granted its lease; <see cref="Release"/> is due then.</param>
    public OneBufferWaiter(Action<OneBufferWaiter<TLease>> resumed)
    {
        _resumed = resumed;
        _continuation = () => _resumed(this);
    }

    /// <summary>Begins to wait.</summary>
    public void Park(ValueTask<TLease> pending)
    {
        _awaiter = pending.ConfigureAwait(false).GetAwaiter();
        if (_awaiter.IsCompleted)
        {
            throw new WorkloadFailedException("a lease on a page that is exclusively held did not wait.");
        }

        _awaiter.UnsafeOnCompleted(_continuation);
    }

    /// <summary>Takes the lease that was granted and gives it back.</summary>
    public void Release()
    {
        TLease lease = _awaiter.GetResult();
        lease.Dispose();
    }
}
