using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Disk;

/// <summary>
/// What is stored of one file, through all losses of power: sectors and a length, each with what is durable of it and what is not yet.
/// Knows nothing of requests and faults. Not thread-safe.
/// </summary>
internal sealed class Platter
{
    /// <summary>Bytes that are written whole or not at all.</summary>
    public const int SectorSize = 512;

    /// <summary>Changes of length since the last one that is durable.</summary>
    private readonly List<(long Length, Change Cause)> _lengths = [];
    private readonly List<SectorHistory> _sectors = [];

    /// <summary>Sectors that may be volatile, each once.</summary>
    private readonly List<int> _volatile = [];
    private readonly HashSet<int> _isVolatile = [];
    private long _durableLength;

    /// <summary>Number of the first of <see cref="_lengths"/>, counted from the start of the file's life.</summary>
    private int _firstChange;

    /// <param name="name">What the file is called.</param>
    public Platter(string name) => Name = name;

    /// <summary>What the file is called.</summary>
    public string Name { get; }

    /// <summary>Bytes, as a reader sees it.</summary>
    public long Length => _lengths.Count > 0 ? _lengths[^1].Length : _durableLength;

    /// <summary>Bytes that the file is sure to have after a loss of power, unless a change that is not durable survives.</summary>
    public long DurableLength => _durableLength;

    /// <summary>Whether the disk has lied about the length, or lost it.</summary>
    public bool IsLengthDamaged { get; set; }

    /// <summary>How many sectors are not durable as they are read.</summary>
    public int VolatileSectors => _volatile.Count(sector => _sectors[sector].IsVolatile);

    /// <summary>Copies what is stored; zeros where nothing is.</summary>
    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int from = (int)(offset % SectorSize);
            int count = Math.Min(destination.Length, SectorSize - from);
            byte[]? bytes = offset / SectorSize < _sectors.Count ? _sectors[(int)(offset / SectorSize)].Current : null;
            if (bytes is null)
            {
                destination[..count].Clear();
            }
            else
            {
                bytes.AsSpan(from, count).CopyTo(destination);
            }

            destination = destination[count..];
            offset += count;
        }
    }

    /// <summary>Stores bytes of one sector, which are volatile; the length is as before.</summary>
    public void WriteSector(long offset, ReadOnlySpan<byte> source, Change cause, bool isDamage = false)
    {
        SectorHistory sector = HistoryOf((int)(offset / SectorSize));
        byte[] bytes = new byte[SectorSize];
        sector.Current?.CopyTo(bytes, 0);
        source.CopyTo(bytes.AsSpan((int)(offset % SectorSize)));
        sector.Add(new SectorVersion(bytes, cause, Cut: -1, isDamage));
        NoteVolatile((int)(offset / SectorSize));
    }

    /// <summary>Notes that a range is not what it should be, and the disk does not say so.</summary>
    public void Damage(long offset, long length)
    {
        for (long sector = offset / SectorSize; sector * SectorSize < offset + length; sector++)
        {
            HistoryOf((int)sector).Damage();
        }
    }

    /// <summary>Notes that what was acknowledged up to a moment should be durable, and is not.</summary>
    public void DamageUnflushed(long acknowledged)
    {
        IsLengthDamaged |= _lengths.Exists(change => change.Cause.Acknowledged <= acknowledged);
        foreach (int sector in _volatile)
        {
            _sectors[sector].Damage(acknowledged);
        }
    }

    /// <summary>Whether a fault that the disk does not admit to has been at a range.</summary>
    public bool IsDamaged(long offset, long length)
    {
        for (long sector = offset / SectorSize; sector * SectorSize < offset + length && sector < _sectors.Count; sector++)
        {
            if (_sectors[(int)sector].IsDamaged)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Changes the length, which is volatile; what is cut off is gone if the change survives.</summary>
    public void SetLength(long length, Change cause)
    {
        int number = _firstChange + _lengths.Count;
        bool isCut = length < Length;
        _lengths.Add((length, cause));
        if (isCut)
        {
            Zero(length, long.MaxValue, cause, number);
        }
    }

    /// <summary>Makes a range zeros, which are volatile. Whole sectors, but for the first.</summary>
    public void Zero(long offset, long end, Change cause, int cut = -1)
    {
        int first = (int)(offset / SectorSize);
        int kept = (int)(offset % SectorSize);
        for (int sector = first; sector < _sectors.Count && (long)sector * SectorSize < end; sector++)
        {
            SectorHistory history = _sectors[sector];
            byte[]? bytes = null;
            if (sector == first && kept > 0 && history.Current is { } current)
            {
                bytes = new byte[SectorSize];
                current.AsSpan(0, kept).CopyTo(bytes);
            }

            if (history.Current is not null || history.IsVolatile)
            {
                history.Add(new SectorVersion(bytes, cause, cut, IsDamaged: bytes is not null && history.IsDamaged));
                NoteVolatile(sector);
            }
        }
    }

    /// <summary>Makes durable what was acknowledged up to a moment.</summary>
    public void Harden(long acknowledged)
    {
        int last = _lengths.FindLastIndex(change => change.Cause.Acknowledged <= acknowledged);
        if (last >= 0)
        {
            _durableLength = _lengths[last].Length;
            _lengths.RemoveRange(0, last + 1);
            _firstChange += last + 1;
        }

        foreach (int sector in _volatile)
        {
            _sectors[sector].Harden(acknowledged);
        }

        ForgetDurable();
    }

    /// <summary>Loses all or some of what is not durable, for readers as well. The length stays.</summary>
    public void Drop(SimulationRandom random, bool all)
    {
        foreach (int sector in _volatile)
        {
            if (all || random.PerMille(500))
            {
                _sectors[sector].Drop();
            }
        }

        ForgetDurable();
    }

    /// <summary>Loses power: what is not durable survives as chance has it, and is durable then (SIM-3).</summary>
    /// <param name="random">Draws.</param>
    /// <param name="wholePerMille">Of a thousand requests, how many survive as wholes, and the others not at all; 0 if each sector is for itself.</param>
    public void LosePower(SimulationRandom random, int wholePerMille = 0)
    {
        // File systems keep changes of length in order: those up to some moment survive.
        int survive = random.Below(_lengths.Count + 1);
        _durableLength = survive > 0 ? _lengths[survive - 1].Length : _durableLength;
        foreach (int sector in _volatile)
        {
            _sectors[sector].Settle(random, _firstChange + survive, wholePerMille);
        }

        _firstChange += _lengths.Count;
        _lengths.Clear();
        ForgetDurable();
        CutOff();
    }

    /// <summary>Has a bit of what is durable change. Returns where, in bytes; -1 if there is nothing.</summary>
    public long Rot(SimulationRandom random)
    {
        if (_sectors.Count == 0)
        {
            return -1;
        }

        int sector = random.Below(_sectors.Count);
        _sectors[sector].Rot(random, SectorSize);
        return (long)sector * SectorSize;
    }

    /// <summary>What was written beyond an end that has not survived is not there when the file grows again.</summary>
    private void CutOff()
    {
        int kept = (int)((_durableLength + SectorSize - 1) / SectorSize);
        if (_sectors.Count > kept)
        {
            _sectors.RemoveRange(kept, _sectors.Count - kept);
        }

        int inLast = (int)(_durableLength % SectorSize);
        if (inLast > 0 && kept == _sectors.Count && _sectors[^1].Durable is { } last)
        {
            last.AsSpan(inLast).Clear();
        }
    }

    private SectorHistory HistoryOf(int sector)
    {
        while (_sectors.Count <= sector)
        {
            _sectors.Add(new SectorHistory());
        }

        return _sectors[sector];
    }

    private void NoteVolatile(int sector)
    {
        if (_isVolatile.Add(sector))
        {
            _volatile.Add(sector);
        }
    }

    private void ForgetDurable()
    {
        _volatile.RemoveAll(sector => !_sectors[sector].IsVolatile && _isVolatile.Remove(sector));
    }
}
