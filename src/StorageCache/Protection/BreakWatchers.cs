namespace StorageCache.Protection;

/// <summary>
/// Those who want to hear when a page breaks away from a frame that they hold: few, and looked for only when a writer has copied a
/// page. Thread-safe.
/// </summary>
internal sealed class BreakWatchers
{
    private readonly Lock _lock = new();
    private readonly Dictionary<uint, List<ProtectedPage>> _byFrame = [];
    private int _count;

    /// <summary>Has somebody hear of breaks from the frame that it holds.</summary>
    public void Add(ProtectedPage watcher)
    {
        lock (_lock)
        {
            if (!_byFrame.TryGetValue(watcher.Frame, out List<ProtectedPage>? watchers))
            {
                _byFrame.Add(watcher.Frame, watchers = []);
            }

            watchers.Add(watcher);
            Volatile.Write(ref _count, _count + 1);
        }
    }

    /// <summary>Undoes <see cref="Add"/>, if nobody has been told yet.</summary>
    public void Remove(ProtectedPage watcher)
    {
        lock (_lock)
        {
            if (_byFrame.TryGetValue(watcher.Frame, out List<ProtectedPage>? watchers) && watchers.Remove(watcher))
            {
                Volatile.Write(ref _count, _count - 1);
                if (watchers.Count == 0)
                {
                    _byFrame.Remove(watcher.Frame);
                }
            }
        }
    }

    /// <summary>Tells those who hold a frame by a page that the page has left it. No list lock is held.</summary>
    public void Broke(uint frame, Mapping? mapping, long page)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (!_byFrame.TryGetValue(frame, out List<ProtectedPage>? watchers))
            {
                return;
            }

            for (int i = watchers.Count - 1; i >= 0; i--)
            {
                if (watchers[i].IsOf(mapping, page))
                {
                    watchers[i].TellLater();
                    watchers.RemoveAt(i);
                    Volatile.Write(ref _count, _count - 1);
                }
            }

            if (watchers.Count == 0)
            {
                _byFrame.Remove(frame);
            }
        }
    }
}
