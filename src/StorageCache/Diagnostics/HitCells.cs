using System.Runtime.CompilerServices;

namespace StorageCache.Diagnostics;

/// <summary>
/// Counts on the hit path: a plain addition to a cell that only the calling thread uses, found by the address of its
/// stack. No interlocked operation, no shared cache line, no thread-local look-up. A snapshot adds the cells up.
/// </summary>
/// <remarks>
/// A cell belongs to the first 64 KiB of address space whose thread came to it, for good; who comes from elsewhere adds to
/// a shared overflow cell with interlocked operations. Two live threads never run in the same 64 KiB, unless their
/// stacks are smaller than that, or one has used up nearly all of its own; then an addition can get lost. Otherwise sums
/// are exact once the counting threads are quiet. Stacks lie at equal distances of some megabytes; taken modulo the number
/// of cells, most of them would meet in a few cells, hence the multiplication.
/// </remarks>
internal readonly unsafe struct HitCells(HitCell* cells)
{
    private const int CountBits = 9;
    private const int GranuleShift = 16;

    /// <summary>2^64 divided by the golden ratio: spreads multiples of one distance evenly (Knuth, 6.4).</summary>
    private const ulong Spread = 0x9E37_79B9_7F4A_7C15;

    /// <summary>How many cells there are, without the overflow cell behind them.</summary>
    public const int Count = 1 << CountBits;

    private readonly HitCell* _cells = cells;

    private HitCell* Overflow => _cells + Count;

    /// <summary>Counts a look-up that found its page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Hit()
    {
        Unsafe.SkipInit(out byte onStack);
        nuint granule = (nuint)(&onStack) >> GranuleShift;
        HitCell* cell = CellOf(granule);
        if (cell->Owner == granule)
        {
            cell->Hits++;
        }
        else
        {
            AddSlow(granule, hits: 1, pins: 0);
        }
    }

    /// <summary>Counts a look-up that found its page, and the pin that it took.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void HitAndPin()
    {
        Unsafe.SkipInit(out byte onStack);
        nuint granule = (nuint)(&onStack) >> GranuleShift;
        HitCell* cell = CellOf(granule);
        if (cell->Owner == granule)
        {
            cell->Hits++;
            cell->Pins++;
        }
        else
        {
            AddSlow(granule, hits: 1, pins: 1);
        }
    }

    /// <summary>Counts pins taken, or returned where negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Pin(int change)
    {
        Unsafe.SkipInit(out byte onStack);
        nuint granule = (nuint)(&onStack) >> GranuleShift;
        HitCell* cell = CellOf(granule);
        if (cell->Owner == granule)
        {
            cell->Pins += change;
        }
        else
        {
            AddSlow(granule, hits: 0, change);
        }
    }

    /// <summary>All hits.</summary>
    public long SumHits()
    {
        long sum = 0;
        for (HitCell* cell = _cells; cell <= Overflow; cell++)
        {
            sum += Volatile.Read(ref cell->Hits);
        }

        return sum;
    }

    /// <summary>All pins taken less all returned.</summary>
    public long SumPins()
    {
        long sum = 0;
        for (HitCell* cell = _cells; cell <= Overflow; cell++)
        {
            sum += Volatile.Read(ref cell->Pins);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private HitCell* CellOf(nuint granule) => _cells + ((granule * Spread) >> (64 - CountBits));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddSlow(nuint granule, int hits, int pins)
    {
        HitCell* cell = CellOf(granule);
        if (Interlocked.CompareExchange(ref cell->Owner, granule, 0) == 0)
        {
            cell->Hits += hits;
            cell->Pins += pins;
        }
        else
        {
            Interlocked.Add(ref Overflow->Hits, hits);
            Interlocked.Add(ref Overflow->Pins, pins);
        }
    }
}
