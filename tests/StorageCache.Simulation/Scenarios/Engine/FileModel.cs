using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>What the oracle knows of one file, and the mapping that it has in this process. Not thread-safe.</summary>
/// <param name="number">Tells the file from others.</param>
/// <param name="pagesAtMost">How long it may get.</param>
internal sealed class FileModel(int number, int pagesAtMost)
{
    private readonly PageModel[] _pages = [.. Enumerable.Range(0, pagesAtMost).Select(static _ => new PageModel())];

    /// <summary>Lengths that a loss of power may bring back, in pages: the first is durable.</summary>
    private readonly List<(long Sequence, long Pages)> _lengths = [(0, 0)];
    private long _sequence;

    /// <summary>Tells the file from others.</summary>
    public int Number => number;

    /// <summary>What the disk calls it.</summary>
    public string Name { get; } = $"file{number}";

    /// <summary>How long it may get.</summary>
    public int PagesAtMost => pagesAtMost;

    /// <summary>The file as the process has it open.</summary>
    public SimulatedFile Device { get; set; } = null!;

    /// <summary>Its mapping.</summary>
    public Mapping Mapping { get; set; } = null!;

    /// <summary>How often it has been mapped.</summary>
    public int Life { get; set; }

    /// <summary>Whether the mapping is being closed and made anew.</summary>
    public bool IsReopening { get; set; }

    /// <summary>The first page that is being cut off or punched, and that behind the last; none if both are 0.</summary>
    public (long First, long End) Vanishing { get; set; }

    /// <summary>How many pages the file is being cut to, if it is.</summary>
    public long? TruncatingTo { get; set; }

    /// <summary>Changes so far.</summary>
    public long Sequence => _sequence;

    /// <summary>What is known of a page.</summary>
    public PageModel this[long page] => _pages[page];

    /// <summary>Whether a page is being cut off or punched.</summary>
    public bool IsVanishing(long page) => page >= Vanishing.First && page < Vanishing.End;

    /// <summary>Whether no client wants to write any of some pages.</summary>
    public bool IsQuiet(long first, long end)
    {
        for (long page = first; page < end; page++)
        {
            if (_pages[page].Writers > 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Notes that a page has been changed under a lease that is about to be returned.</summary>
    /// <param name="page">The page.</param>
    /// <param name="version">What its sectors hold now.</param>
    /// <param name="lsn">The number of the log record; 0 if it has none.</param>
    public void Change(long page, long version, ulong lsn) => _pages[page].Change(++_sequence, version, Life, lsn);

    /// <summary>Notes that pages may be zeros from now on, if power goes.</summary>
    public void MayBeZeros(long first, long end)
    {
        _sequence++;
        for (long page = first; page < end; page++)
        {
            _pages[page].MayBeZeros(_sequence, Life);
        }
    }

    /// <summary>Notes that pages are zeros.</summary>
    public void Zero(long first, long end)
    {
        _sequence++;
        for (long page = first; page < end; page++)
        {
            _pages[page].Change(_sequence, PageStamp.Zeros, Life, lsn: 0);
        }
    }

    /// <summary>Notes how long the mapping is.</summary>
    public void NoteLength()
    {
        long pages = Mapping.PageCount;
        if (_lengths[^1].Pages != pages)
        {
            _lengths.Add((++_sequence, pages));
        }
    }

    /// <summary>Notes that a flush has succeeded that was begun after so many changes.</summary>
    public void Flushed(long sequence, int life)
    {
        foreach (PageModel page in _pages)
        {
            page.Flushed(sequence, life);
        }

        int last = _lengths.FindLastIndex(length => length.Sequence <= sequence);
        if (last > 0)
        {
            _lengths.RemoveRange(0, last);
        }
    }

    /// <summary>Notes that the cache needs no log record below a number any more for this mapping: what they are of is durable.</summary>
    public void FlushedBelow(ulong lsn)
    {
        foreach (PageModel page in _pages)
        {
            page.FlushedBelow(lsn, Life);
        }
    }

    /// <summary>Holds a page in memory against what it should be.</summary>
    public void Check(long page, ReadOnlySpan<byte> bytes)
    {
        bool mayBeZeros = IsVanishing(page);
        for (int sector = 0; sector < PageModel.Sectors; sector++)
        {
            long version = VersionOf(bytes, page, sector);
            if (version != _pages[page].Current(sector) && !(mayBeZeros && version == PageStamp.Zeros))
            {
                throw new ViolationException($"Sector {sector} of page {page} of '{Name}' holds version {version} in memory; {_pages[page]}.");
            }
        }
    }

    /// <summary>Holds what is stored against what may be, now that what memory held is lost, and takes it for what the file holds.</summary>
    /// <param name="isSettled">Whether all that is not stored durably is lost.</param>
    public void Recover(bool isSettled)
    {
        Platter platter = Device.Platter;
        long pages = platter.Length / 4096;
        long least = Math.Min(_lengths.Min(static length => length.Pages), TruncatingTo ?? long.MaxValue);
        if (pages * 4096 != platter.Length || pages < least || pages > _lengths.Max(static length => length.Pages))
        {
            throw new ViolationException($"'{Name}' is {platter.Length} bytes long; in pages it may be {string.Join(", ", _lengths.Select(static length => length.Pages))}.");
        }

        Span<byte> bytes = stackalloc byte[4096];
        for (long page = 0; page < PagesAtMost; page++)
        {
            PageModel model = _pages[page];
            if (page < pages)
            {
                platter.Read(page * 4096, bytes);
            }
            else
            {
                bytes.Clear();
            }

            for (int sector = 0; sector < PageModel.Sectors; sector++)
            {
                long version = VersionOf(bytes, page, sector);
                if (page < pages && !model.MayHold(sector, version))
                {
                    throw new ViolationException($"Sector {sector} of page {page} of '{Name}' holds version {version} when what memory held is lost; {model}.");
                }

                model.Found(sector, version);
            }

            if (isSettled)
            {
                model.Settle();
            }
        }

        if (isSettled)
        {
            _lengths.Clear();
            Vanishing = default;
            TruncatingTo = null;
            IsReopening = false;
        }

        _lengths.Add((++_sequence, pages));
    }

    /// <summary>Which version a sector of a page holds; see <see cref="PageStamp"/>.</summary>
    public long VersionOf(ReadOnlySpan<byte> bytes, long page, int sector) =>
        PageStamp.VersionOf(bytes.Slice(sector * Platter.SectorSize, Platter.SectorSize), Number, page, sector);
}
