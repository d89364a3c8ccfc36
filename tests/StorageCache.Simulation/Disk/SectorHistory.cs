using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Disk;

/// <summary>What one sector holds for sure, and what came since (SIM-3). Not thread-safe.</summary>
internal sealed class SectorHistory
{
    private readonly List<SectorVersion> _versions = [];
    private byte[]? _durable;
    private bool _isDurableDamaged;

    /// <summary>What a reader sees; null for zeros.</summary>
    public byte[]? Current => _versions.Count > 0 ? _versions[^1].Bytes : _durable;

    /// <summary>What is there after a loss of power, whatever else is; null for zeros.</summary>
    public byte[]? Durable => _durable;

    /// <summary>Whether there is more than what is durable.</summary>
    public bool IsVolatile => _versions.Count > 0;

    /// <summary>Whether a fault that the disk does not admit to has been at what a reader sees.</summary>
    public bool IsDamaged => _versions.Count > 0 ? _versions[^1].IsDamaged : _isDurableDamaged;

    /// <summary>Adds a content.</summary>
    public void Add(SectorVersion version) => _versions.Add(version);

    /// <summary>Makes durable what was acknowledged up to a moment.</summary>
    public void Harden(long acknowledged)
    {
        int last = _versions.FindLastIndex(version => version.Cause.Acknowledged <= acknowledged);
        if (last >= 0)
        {
            Take(last);
            _versions.RemoveRange(0, last + 1);
        }
    }

    /// <summary>Loses what was written and is not durable. What was cut off stays so.</summary>
    public void Drop()
    {
        int kept = _versions.FindLastIndex(static version => version.Cut >= 0) + 1;
        _versions.RemoveRange(kept, _versions.Count - kept);
    }

    /// <summary>Decides what is there after a loss of power: anything that was there since it was last made durable.</summary>
    /// <param name="random">Draws.</param>
    /// <param name="cuts">How many changes of length have survived: what they cut off is gone, and no other is.</param>
    /// <param name="wholePerMille">Of a thousand requests, how many survive as wholes, and the others not at all; 0 if each sector is for itself.</param>
    public void Settle(SimulationRandom random, int cuts, int wholePerMille)
    {
        _versions.RemoveAll(version => version.Cut >= cuts);
        int least = _versions.FindLastIndex(static version => version.Cut >= 0);
        int survivor = wholePerMille > 0
            ? Math.Max(least, _versions.FindLastIndex(version => version.Cause.Survives(random, wholePerMille)))
            : least + random.Below(_versions.Count - least);
        if (survivor >= 0)
        {
            Take(survivor);
        }

        _versions.Clear();
    }

    /// <summary>Changes a bit of what is durable.</summary>
    public void Rot(SimulationRandom random, int bytes)
    {
        byte[] rotten = _durable is null ? new byte[bytes] : [.. _durable];
        rotten[random.Below(bytes)] ^= (byte)(1 << random.Below(8));
        _durable = rotten;
        _isDurableDamaged = true;
    }

    /// <summary>Notes that nothing that is there now is what should be: not what is read, and not what a loss of power may bring back.</summary>
    /// <param name="acknowledged">But for what was acknowledged up to then, and came last, and what has come since.</param>
    public void Damage(long acknowledged = -1)
    {
        int last = _versions.FindLastIndex(version => version.Cause.Acknowledged <= acknowledged);
        int end = last >= 0 ? last : acknowledged >= 0 ? 0 : _versions.Count;
        _isDurableDamaged |= last >= 0 || acknowledged < 0;
        for (int i = 0; i < end; i++)
        {
            _versions[i] = _versions[i] with { IsDamaged = true };
        }
    }

    private void Take(int version)
    {
        _durable = _versions[version].Bytes;
        _isDurableDamaged = _versions[version].IsDamaged;
    }
}
