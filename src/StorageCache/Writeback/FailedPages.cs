namespace StorageCache.Writeback;

/// <summary>Pages of a mapping whose last write failed, so that it is told once of each, and once that it is over. Thread-safe.</summary>
internal sealed class FailedPages
{
    /// <summary>Pages that are kept in mind; of further ones nothing is told.</summary>
    public const int MostKept = 1024;

    private readonly Mapping _mapping;
    private readonly Lock _lock = new();
    private readonly HashSet<long> _pages = [];
    private int _count;

    public FailedPages(Mapping mapping) => _mapping = mapping;

    /// <summary>Notes that the write of a page failed.</summary>
    public void OnFailed(long page, Exception error)
    {
        lock (_lock)
        {
            if (_pages.Count == MostKept)
            {
                // Those that have been cut off, or dropped otherwise, will not be written.
                _pages.RemoveWhere(other => !_mapping.IsDirty(other));
            }

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
        if (Volatile.Read(ref _count) == 0)
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
}
