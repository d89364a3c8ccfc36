using System.Collections.Concurrent;

namespace StorageCache.Protection;

/// <summary>
/// Frames that writers of hardened domains broke away from, whose references another thread drops: whether that frees the frame is not to
/// show in the time that the writer takes (SH-9). Thread-safe.
/// </summary>
internal sealed class LateDrops
{
    private readonly CacheCore _core;
    private readonly ConcurrentQueue<uint> _frames = new();

    public LateDrops(CacheCore core) => _core = core;

    /// <summary>Has a reference to a frame dropped soon. May be called while latches are held.</summary>
    public void Add(uint frame)
    {
        _frames.Enqueue(frame);
        _core.Reclaimer.Kick();
    }

    /// <summary>Drops what is due. No lock is held. Returns whether there was anything.</summary>
    public bool Drop()
    {
        bool any = false;
        while (_frames.TryDequeue(out uint frame))
        {
            any = true;
            if (!_core.Frames.DropReference(frame))
            {
                _core.TellLastOwner(frame);
            }
        }

        return any;
    }
}
