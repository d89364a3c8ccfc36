using System.Diagnostics;
using StorageCache.Workloads.Hit;
using StorageCache.Workloads.Memory;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Protect;

/// <summary>
/// What the first write to a shared page costs, beside the least that it could cost: the exclusive latch of a page that is not
/// protected, and a copy of one page's bytes. In turns, over the same pages in the same order.
/// </summary>
internal sealed unsafe class BreakComparison : IDisposable
{
    private const int PageSize = 4096;
    private const int PagesPerTurn = 1024;

    private readonly SharedPages _pages;
    private readonly int[] _order;
    private readonly LargeRegion _from;
    private readonly LargeRegion _to;

    /// <param name="pages">The pages.</param>
    /// <param name="count">How many there are; a multiple of 1,024.</param>
    public BreakComparison(SharedPages pages, int count)
    {
        _pages = pages;
        _order = PageSequence.Permutation(count, seed: 17);
        _from = new LargeRegion((long)count * PageSize);
        _to = new LargeRegion((long)count * PageSize);
    }

    /// <summary>Every page is broken away from its frame once, and copied once; the turns change places with each pair.</summary>
    /// <exception cref="WorkloadFailedException">Fewer or more pages broke away.</exception>
    public void Round(NamedSamples samples)
    {
        _pages.ShareAgain();
        long breaks = _pages.Breaks;
        long broken = 0;
        long bare = 0;
        long latched = 0;
        for (int first = 0; first < _order.Length; first += PagesPerTurn)
        {
            bool isEven = (first / PagesPerTurn & 1) == 0;
            if (isEven)
            {
                broken += Break(first);
            }

            bare += CopyBare(first);
            if (!isEven)
            {
                broken += Break(first);
            }
        }

        breaks = _pages.Breaks - breaks;
        if (breaks != _order.Length)
        {
            throw new WorkloadFailedException($"{breaks} pages broke away from their frames, not {_order.Length}");
        }

        for (int first = 0; first < _order.Length; first += PagesPerTurn)
        {
            latched += Latch(first);
        }

        samples.Add("protect.break.ns", Nanoseconds(broken));
        samples.Add("protect.break.bare_ns", Nanoseconds(bare));
        samples.Add("protect.break.latch_ns", Nanoseconds(latched));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _from.Dispose();
        _to.Dispose();
    }

    private long Break(int first)
    {
        Mapping writer = _pages.Writer;
        long began = Stopwatch.GetTimestamp();
        foreach (int page in _order.AsSpan(first, PagesPerTurn))
        {
            PageWriteLease lease = writer.Write(page);
            lease.Dispose();
        }

        return Stopwatch.GetTimestamp() - began;
    }

    /// <summary>The copies are laid down one behind the other, as a cache with free neighbours does.</summary>
    private long CopyBare(int first)
    {
        Mapping unprotected = _pages.Unprotected;
        byte* to = _to.Address + ((long)first * PageSize);
        long began = Stopwatch.GetTimestamp();
        foreach (int page in _order.AsSpan(first, PagesPerTurn))
        {
            PageWriteLease lease = unprotected.Write(page);
            Buffer.MemoryCopy(_from.Address + ((long)page * PageSize), to, PageSize, PageSize);
            to += PageSize;
            lease.Dispose();
        }

        return Stopwatch.GetTimestamp() - began;
    }

    private long Latch(int first)
    {
        Mapping unprotected = _pages.Unprotected;
        long began = Stopwatch.GetTimestamp();
        foreach (int page in _order.AsSpan(first, PagesPerTurn))
        {
            PageWriteLease lease = unprotected.Write(page);
            lease.Dispose();
        }

        return Stopwatch.GetTimestamp() - began;
    }

    private double Nanoseconds(long ticks) => ticks * (1e9 / Stopwatch.Frequency) / _order.Length;
}
