using StorageCache.Platform;

namespace StorageCache.Writeback;

/// <summary>Background work that waits for permits: it ends its turn, and is given the next one when it has been given them.</summary>
/// <param name="thread">What gives the turns.</param>
internal sealed class TurnPermitWaiter(IBackgroundThread thread) : PermitWaiter
{
    private int _granted;

    /// <inheritdoc/>
    public override void OnGranted(int permits)
    {
        Volatile.Write(ref _granted, permits);
        thread.Wake();
    }

    /// <summary>Takes what has been granted; 0 if the waiter still stands in line.</summary>
    public int TakeGranted() => Interlocked.Exchange(ref _granted, 0);
}
