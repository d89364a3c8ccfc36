namespace StorageCache.Writeback;

/// <summary>
/// Dirty pages of a mapping whose last write failed: it is told once of each, and once that it is over, and the flusher's patience grows for
/// as long as there are any. Thread-safe; the lock is a leaf but for that of the events.
/// </summary>
internal sealed class FailedPages
{
    /// <summary>Pages that are kept in mind; of further ones nothing is told.</summary>
    public const int MostKept = 1024;

    private readonly Mapping _mapping;
    private readonly Lock _lock = new();
    private readonly HashSet<long> _pages = [];
    private int _count;

    public FailedPages(Mapping mapping) => _mapping = mapping;

    /// <summary>Whether there are none.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>Notes that the write of a page failed.</summary>
    public void OnFailed(long page, Exception error)
    {
        lock (_lock)
        {
            bool isNew = _pages.Count < MostKept && _pages.Add(page);
            Volatile.Write(ref _count, _pages.Count);
            if (isNew)
            {
                _mapping.Core.Health.Raise(HealthEventKind.WriteFailed, _mapping, page, error);
            }
        }
    }

    /// <summary>Notes that pages have been written.</summary>
    public void OnWritten(long firstPage, int count)
    {
        if (IsEmpty)
        {
            return;
        }

        lock (_lock)
        {
            for (long page = firstPage; page < firstPage + count; page++)
            {
                if (_pages.Remove(page))
                {
                    _mapping.Core.Health.Raise(HealthEventKind.WriteRecovered, _mapping, page, error: null);
                }
            }

            Volatile.Write(ref _count, _pages.Count);
        }
    }

    /// <summary>Notes that a page is not to be written any more. Its list lock may be held.</summary>
    public void OnForgotten(long page)
    {
        if (IsEmpty)
        {
            return;
        }

        lock (_lock)
        {
            _pages.Remove(page);
            Volatile.Write(ref _count, _pages.Count);
        }
    }
}
