namespace StorageCache.KeyValueStore.Concurrency;

/// <summary>An operation that holds the writer lock.</summary>
internal readonly struct WriterScope(OperationGate.Ticket ticket, SemaphoreSlim writerLock) : IDisposable
{
    public void Dispose()
    {
        writerLock.Release();
        ticket.Dispose();
    }
}
