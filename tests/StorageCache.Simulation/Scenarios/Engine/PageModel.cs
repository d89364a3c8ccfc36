namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>What the oracle knows of one page. Not thread-safe.</summary>
internal sealed class PageModel
{
    /// <summary>Sectors of a page.</summary>
    public const int Sectors = 8;

    private readonly long[] _current = new long[Sectors];
    private readonly long[] _durable = new long[Sectors];
    private readonly List<Candidate> _since = [];

    /// <summary>Clients that want to write the page or do.</summary>
    public int Writers { get; set; }

    /// <summary>The version that a sector has for whoever reads it now.</summary>
    public long Current(int sector) => _current[sector];

    /// <summary>Notes a change.</summary>
    public void Change(long sequence, long version, int life, ulong lsn)
    {
        Array.Fill(_current, version);
        _since.Add(new Candidate(sequence, version, life, lsn, IsCertain: true));
    }

    /// <summary>Notes that the page may be zeros from now on, if power goes.</summary>
    public void MayBeZeros(long sequence, int life) => _since.Add(new Candidate(sequence, PageStamp.Zeros, life, Lsn: 0, IsCertain: false));

    /// <summary>Notes that what had come up to a moment is durable.</summary>
    public void Flushed(long sequence, int life) => Durable(life, candidate => candidate.Sequence <= sequence);

    /// <summary>Notes that all changes are durable whose log records have lower numbers.</summary>
    public void FlushedBelow(ulong lsn, int life) => Durable(life, candidate => candidate.Lsn > 0 && candidate.Lsn < lsn);

    /// <summary>Whether a sector may hold a version when what memory held is lost.</summary>
    public bool MayHold(int sector, long version) =>
        _durable[sector] == version || _since.Exists(candidate => candidate.Version == version);

    /// <summary>Notes what a sector was found to hold when what memory held was lost.</summary>
    public void Found(int sector, long version) => _current[sector] = version;

    /// <summary>Notes that what was found is all that there is.</summary>
    public void Settle()
    {
        _current.CopyTo(_durable, 0);
        _since.Clear();
        Writers = 0;
    }

    /// <summary>What it may hold, for messages.</summary>
    public override string ToString() =>
        $"current {string.Join(',', _current)}; durable {string.Join(',', _durable)}; since {string.Join(',', _since.Select(candidate => candidate.Version))}";

    private void Durable(int life, Predicate<Candidate> isDurable)
    {
        int last = _since.FindLastIndex(candidate => candidate.IsCertain && candidate.Life == life && isDurable(candidate));
        if (last >= 0)
        {
            Array.Fill(_durable, _since[last].Version);
            _since.RemoveRange(0, last + 1);
        }
    }
}
