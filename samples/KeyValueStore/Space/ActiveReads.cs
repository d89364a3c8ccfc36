namespace StorageCache.KeyValueStore.Space;

/// <summary>The large values that are being read; their pages are not reused meanwhile (KV-8).</summary>
/// <remarks>
/// <para>
/// A reader registers the value's first page and then validates that the leaf still refers to it. A writer takes the reference out of the
/// leaf and then looks here. Whichever comes first, a value that a reader goes on to read is seen by the writer; a reader that came too late
/// fails its validation.
/// </para>
/// <para>Thread-safe. The lock is held for a dictionary operation and never while waiting.</para>
/// </remarks>
internal sealed class ActiveReads
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, int> _readers = [];

    public void Register(long firstPage)
    {
        lock (_lock)
        {
            _readers[firstPage] = _readers.GetValueOrDefault(firstPage) + 1;
        }
    }

    public void Unregister(long firstPage)
    {
        lock (_lock)
        {
            int readers = _readers[firstPage] - 1;
            if (readers == 0)
            {
                _readers.Remove(firstPage);
            }
            else
            {
                _readers[firstPage] = readers;
            }
        }
    }

    public bool IsActive(long firstPage)
    {
        lock (_lock)
        {
            return _readers.ContainsKey(firstPage);
        }
    }
}
