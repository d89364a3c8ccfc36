using StorageCache.Simulation.Scenarios.Engine;

namespace StorageCache.Simulation.Scenarios.Codec;

/// <summary>What the oracle knows of one page. Not thread-safe.</summary>
internal sealed class CodecPage
{
    private readonly HashSet<long> _ever = [PageStamp.Zeros];

    /// <summary>What the disk may hold: what is durable, if that is known, and what came since.</summary>
    private readonly List<(long Version, long Sequence, int Life)> _stored = [(PageStamp.Zeros, 0, 0)];

    /// <summary>The version that is read; null if a loss of power has left that open, until it is read.</summary>
    private long? _current = PageStamp.Zeros;

    /// <summary>When it changed last.</summary>
    public long Changed { get; private set; }

    /// <summary>Whether a loss of power may have left a part of one version and a part of another.</summary>
    public bool MayBeTorn => _current is null && _stored.Count > 1;

    /// <summary>Notes a change under a lease that is about to be returned.</summary>
    public void Change(long version, long sequence, int life)
    {
        _ever.Add(version);
        _stored.Add((version, sequence, life));
        _current = version;
        Changed = sequence;
    }

    /// <summary>Notes that what has come in this life up to a moment is durable.</summary>
    public void Flushed(long sequence, int life)
    {
        int last = _stored.FindLastIndex(stored => stored.Life == life && stored.Sequence <= sequence);
        if (last > 0)
        {
            _stored.RemoveRange(0, last);
        }
    }

    /// <summary>Notes that what memory held is lost.</summary>
    public void LosePower() => _current = _stored.Count == 1 ? _stored[0].Version : null;

    /// <summary>Takes what is read. Returns whether it may be that.</summary>
    /// <param name="version">What is read.</param>
    /// <param name="sequence">When, in the count of changes.</param>
    /// <param name="life">The life.</param>
    /// <param name="isDamaged">Whether the disk has damaged the page: it may hold what was there before a write that was lost or went elsewhere, or that a flush should have made durable.</param>
    public bool TryRead(long version, long sequence, int life, bool isDamaged)
    {
        if (_current == version)
        {
            return true;
        }

        if (_current is null && _stored.Exists(stored => stored.Version == version))
        {
            // Nothing of it has been written in this life: it is what has survived, and survives.
            _stored.Clear();
            _stored.Add((version, sequence, life));
            _current = version;
            return true;
        }

        if (isDamaged && _ever.Contains(version))
        {
            _stored.Add((version, sequence, life));
            _current = version;
            return true;
        }

        return false;
    }

    /// <summary>What it may hold, for messages.</summary>
    public override string ToString() => $"current {_current?.ToString() ?? "unknown"}; stored {string.Join(',', _stored.Select(static stored => stored.Version))}";
}
