using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;
using StorageCache.Simulation.Scenarios.Engine;

namespace StorageCache.Simulation.Scenarios.Codec;

/// <summary>What the oracle knows of one file of pages with checksums, and the mapping that it has in this process. Not thread-safe.</summary>
/// <param name="number">Tells the file from others.</param>
/// <param name="pages">How many pages it has, from its first life on.</param>
internal sealed class CodecFile(int number, int pages)
{
    private const int PageSize = ScenarioCache.PageSize;

    private readonly CodecPage[] _pages = [.. Enumerable.Range(0, pages).Select(static _ => new CodecPage())];

    /// <summary>What the disk calls it.</summary>
    public string Name { get; } = $"file{number}";

    /// <summary>How many pages it has.</summary>
    public int Pages => pages;

    /// <summary>What its pages are encoded with.</summary>
    public ChecksumPageCodec Codec { get; } = new(new Guid(number + 1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]));

    /// <summary>The file as the process has it open.</summary>
    public SimulatedFile Device { get; set; } = null!;

    /// <summary>Its mapping.</summary>
    public Mapping Mapping { get; set; } = null!;

    /// <summary>How often power has been lost.</summary>
    public int Life { get; private set; }

    /// <summary>Changes and surprises so far.</summary>
    public long Sequence { get; private set; }

    /// <summary>When a page changed last.</summary>
    public long ChangedAt(long page) => _pages[page].Changed;

    /// <summary>Writes a version all over what a lease shows.</summary>
    public void Write(long page, Span<byte> bytes, long version)
    {
        Span<byte> whole = stackalloc byte[PageSize];
        PageStamp.WritePage(whole, number, page, version);
        whole[..bytes.Length].CopyTo(bytes);
    }

    /// <summary>Notes that a page has been changed under a lease that is about to be returned.</summary>
    public void Change(long page, long version) => _pages[page].Change(version, ++Sequence, Life);

    /// <summary>Notes that a flush has succeeded that was begun after so many changes.</summary>
    public void Flushed(long sequence)
    {
        foreach (CodecPage page in _pages)
        {
            page.Flushed(sequence, Life);
        }
    }

    /// <summary>Notes that what memory held is lost.</summary>
    public void LosePower()
    {
        Life++;
        foreach (CodecPage page in _pages)
        {
            page.LosePower();
        }
    }

    /// <summary>Holds what a lease shows against what it may.</summary>
    public void Check(long page, ReadOnlySpan<byte> bytes)
    {
        long version = VersionOf(page, bytes);
        if (!_pages[page].TryRead(version, ++Sequence, Life, IsDamaged(page)))
        {
            throw new ViolationException($"Page {page} of '{Name}' holds version {version}; {_pages[page]}.");
        }
    }

    /// <summary>Whether the disk has damaged what it stores of a page.</summary>
    public bool IsDamaged(long page) => Device.Platter.IsDamaged(page * PageSize, PageSize);

    /// <summary>Whether a page may be corrupt: it is damaged, or was being written when power went.</summary>
    public bool MayBeCorrupt(long page) => IsDamaged(page) || _pages[page].MayBeTorn;

    /// <summary>What is known of a page, for messages.</summary>
    public string Describe(long page) => _pages[page].ToString();

    private long VersionOf(long page, ReadOnlySpan<byte> bytes)
    {
        if (!bytes.ContainsAnyExcept((byte)0))
        {
            return PageStamp.Zeros;
        }

        Span<byte> expected = stackalloc byte[PageSize];
        long version = PageStamp.VersionOf(bytes[..Platter.SectorSize], number, page, number: 0);
        if (version <= PageStamp.Zeros)
        {
            return PageStamp.Garbage;
        }

        PageStamp.WritePage(expected, number, page, version);
        return bytes.SequenceEqual(expected[..bytes.Length]) ? version : PageStamp.Garbage;
    }
}
