using System.Runtime.CompilerServices;

namespace StorageCache.Diagnostics;

/// <summary>
/// Counts on the hit path: a plain addition to a cell that only the calling thread uses, found by the address of its
/// stack. No interlocked operation, no shared cache line, no thread-local look-up. A snapshot adds the cells up.
/// </summary>
/// <remarks>
/// <para>
/// A cell belongs to the first 64 KiB of address space whose thread came to it, for good; who finds it taken looks at the
/// next ones, and who finds all of those taken adds to a shared cell with interlocked operations. New threads get the
/// stacks of those that have ended, as a rule, and with them their cells; so it is the number of threads at one time that
/// counts. Two live threads never run in the same 64 KiB, unless their stacks are smaller than that, or one has used up
/// nearly all of its own; then an addition can get lost. Otherwise sums are exact once the counting threads are quiet.
/// </para>
/// <para>
/// Stacks lie at equal distances of some megabytes; taken modulo the number of cells, most of them would meet in a few
/// cells, hence the multiplication.
/// </para>
/// </remarks>
internal readonly unsafe struct HitCells(HitCell* cells)
{
    /// <summary>How many cells there are, without the shared one behind them.</summary>
    public const int Count = 1 << CountBits;

    private const int CountBits = 9;
    private const int GranuleShift = 16;

    /// <summary>How many cells a thread looks at before it turns to the shared one.</summary>
    private const int Probes = 8;

    /// <summary>2^64 divided by the golden ratio: spreads multiples of one distance evenly (Knuth, 6.4).</summary>
    private const ulong Spread = 0x9E37_79B9_7F4A_7C15;

    private readonly HitCell* _cells = cells;

    private HitCell* Shared => _cells + Count;

    /// <summary>Counts a look-up that found its page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Hit()
    {
        Unsafe.SkipInit(out byte onStack);
        Add((nuint)(&onStack) >> GranuleShift, hits: 1, pins: 0);
    }

    /// <summary>Counts a look-up that found its page, and the pin that it took.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void HitAndPin()
    {
        Unsafe.SkipInit(out byte onStack);
        Add((nuint)(&onStack) >> GranuleShift, hits: 1, pins: 1);
    }

    /// <summary>Counts pins taken, or returned where negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Pin(int change)
    {
        Unsafe.SkipInit(out byte onStack);
        Add((nuint)(&onStack) >> GranuleShift, hits: 0, change);
    }

    /// <summary>Counts for a granule of address space, which must be the calling thread's own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(nuint granule, int hits, int pins)
    {
        HitCell* cell = _cells + ((granule * Spread) >> (64 - CountBits));
        if (cell->Owner != granule)
        {
            AddElsewhere(granule, hits, pins);
            return;
        }

        if (hits != 0)
        {
            cell->Hits += hits;
        }

        if (pins != 0)
        {
            cell->Pins += pins;
        }
    }

    /// <summary>All hits.</summary>
    public long SumHits()
    {
        long sum = 0;
        for (HitCell* cell = _cells; cell <= Shared; cell++)
        {
            sum += Volatile.Read(ref cell->Hits);
        }

        return sum;
    }

    /// <summary>All pins taken less all returned.</summary>
    public long SumPins()
    {
        long sum = 0;
        for (HitCell* cell = _cells; cell <= Shared; cell++)
        {
            sum += Volatile.Read(ref cell->Pins);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddElsewhere(nuint granule, int hits, int pins)
    {
        int first = (int)((granule * Spread) >> (64 - CountBits));
        for (int i = 0; i < Probes; i++)
        {
            HitCell* cell = _cells + ((first + i) & (Count - 1));
            nuint owner = Volatile.Read(ref cell->Owner);
            if (owner == 0)
            {
                owner = Interlocked.CompareExchange(ref cell->Owner, granule, 0);
                owner = owner == 0 ? granule : owner;
            }

            if (owner == granule)
            {
                cell->Hits += hits;
                cell->Pins += pins;
                return;
            }
        }

        if (hits != 0)
        {
            Interlocked.Add(ref Shared->Hits, hits);
        }

        if (pins != 0)
        {
            Interlocked.Add(ref Shared->Pins, pins);
        }
    }
}
