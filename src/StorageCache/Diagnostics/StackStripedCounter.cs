using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StorageCache.Diagnostics;

/// <summary>
/// Counts on the hit path: a plain addition to a cell that only the calling thread uses, found by the address of its
/// stack. No interlocked operation, no shared cache line, no thread-local look-up. A snapshot adds the cells up.
/// </summary>
/// <remarks>
/// A cell belongs to the first 64 KiB of address space whose thread came to it, for good; who comes from elsewhere adds to
/// a shared overflow cell with an interlocked operation. Two live threads never run in the same 64 KiB, unless their
/// stacks are smaller than that, or one has used up nearly all of its own; then an addition can get lost. Otherwise sums
/// are exact once the counting threads are quiet. Stacks lie at equal distances of some megabytes; taken modulo the number
/// of cells, most of them would meet in a few cells, hence the multiplication.
/// </remarks>
internal sealed unsafe class StackStripedCounter
{
    private const int CellBits = 9;
    private const int Cells = 1 << CellBits;
    private const int GranuleShift = 16;

    /// <summary>2^64 divided by the golden ratio: spreads multiples of one distance evenly (Knuth, 6.4).</summary>
    private const ulong Spread = 0x9E37_79B9_7F4A_7C15;

    /// <summary>Pinned, so that the cells have addresses; kept alive by this field.</summary>
    private readonly Cell[] _memory;

    private readonly Cell* _cells;
    private long _overflow;

    public StackStripedCounter()
    {
        _memory = GC.AllocateArray<Cell>(Cells + 1, pinned: true);
        _cells = (Cell*)(((nuint)Unsafe.AsPointer(ref _memory[0]) + Cell.SizeInBytes - 1) & ~(nuint)(Cell.SizeInBytes - 1));
    }

    /// <summary>The sum of all additions.</summary>
    public long Value
    {
        get
        {
            long sum = Volatile.Read(ref _overflow);
            for (int i = 0; i < Cells; i++)
            {
                sum += Volatile.Read(ref _cells[i].Value);
            }

            return sum;
        }
    }

    /// <summary>Adds one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Increment() => Add(1);

    /// <summary>Adds to the calling thread's cell.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int value)
    {
        Unsafe.SkipInit(out byte onStack);
        nuint granule = (nuint)(&onStack) >> GranuleShift;
        Cell* cell = _cells + ((granule * Spread) >> (64 - CellBits));
        if (cell->Owner == granule)
        {
            cell->Value += value;
        }
        else
        {
            AddSlow(cell, granule, value);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddSlow(Cell* cell, nuint granule, int value)
    {
        if (Interlocked.CompareExchange(ref cell->Owner, granule, 0) == 0)
        {
            cell->Value += value;
        }
        else
        {
            Interlocked.Add(ref _overflow, value);
        }
    }

    /// <summary>One granule's sum, on a cache line of its own.</summary>
    [StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
    private struct Cell
    {
        public const int SizeInBytes = 64;
        public nuint Owner;
        public long Value;
    }
}
