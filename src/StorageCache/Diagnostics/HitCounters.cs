using System.Runtime.CompilerServices;

namespace StorageCache.Diagnostics;

/// <summary>
/// What is counted where a page is found: hits, and pins that are held. Cells on cache lines of their own, one for each
/// thread in effect (see <see cref="HitCells"/>), and their sums.
/// </summary>
internal sealed unsafe class HitCounters
{
    /// <summary>Pinned, so that the cells have addresses; kept alive by this field.</summary>
    private readonly HitCell[] _memory;

    public HitCounters()
    {
        _memory = GC.AllocateArray<HitCell>(HitCells.Count + 2, pinned: true);
        nuint first = (nuint)Unsafe.AsPointer(ref _memory[0]);
        Cells = new HitCells((HitCell*)((first + HitCell.SizeInBytes - 1) & ~(nuint)(HitCell.SizeInBytes - 1)));
    }

    /// <summary>Where to count. To be used only while this object is reachable.</summary>
    public HitCells Cells { get; }

    /// <summary>Look-ups that found their page in memory.</summary>
    public long Hits => Cells.SumHits();

    /// <summary>Pins that are held.</summary>
    public long PinsHeld => Cells.SumPins();
}
