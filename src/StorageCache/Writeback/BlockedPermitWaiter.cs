namespace StorageCache.Writeback;

/// <summary>A thread that waits for permits.</summary>
internal sealed class BlockedPermitWaiter : PermitWaiter
{
    private readonly object _gate = new();
    private int _granted;

    /// <summary>Blocks the calling thread until it has been given permits. Returns how many.</summary>
    public int Wait()
    {
        lock (_gate)
        {
            while (_granted == 0)
            {
                Monitor.Wait(_gate);
            }

            int granted = _granted;
            _granted = 0;
            return granted;
        }
    }

    /// <inheritdoc/>
    public override void OnGranted(int permits)
    {
        lock (_gate)
        {
            _granted = permits;
            Monitor.Pulse(_gate);
        }
    }
}
