using System.Diagnostics;
using System.Runtime.InteropServices;
using StorageCache.Platform;
using StorageCache.Platform.Native;

namespace StorageCache.IO.Ring;

/// <summary>The memory that is registered with a ring: the kernel's table of buffers, and who may name which entry.</summary>
/// <remarks>
/// <para>
/// Piece i is entry i of the table, or nothing is. An entry is named only while it is filled (<see cref="TryName"/>), but it may be emptied
/// before the kernel looks at a request that names it: that request fails with <c>EFAULT</c> and is tried again by address (I/O-23).
/// </para>
/// <para>
/// The kernel keeps the table under a lock of the ring's own, so that pieces may be registered and withdrawn by any thread, beside
/// submissions. Thread-safe.
/// </para>
/// </remarks>
internal sealed unsafe class RingMemory : IRegisteredMemory
{
    /// <summary>The most entries that the kernel's table has (<c>IORING_MAX_REG_BUFFERS</c>).</summary>
    private const int MostPieces = 1 << 14;

    /// <summary>Orders registering, withdrawing and closing. No other lock is taken under it.</summary>
    private readonly Lock _lock = new();

    private readonly NativeRing* _ring;
    private readonly ulong _start;
    private readonly ulong _bytes;

    /// <summary>Whether transfers may name a piece. Written under the lock.</summary>
    private readonly bool[] _isNamed;

    /// <summary>Bytes registered of each piece. Under the lock.</summary>
    private readonly long[] _lengths;

    private long _registered;
    private bool _isRefused;
    private bool _isClosed;

    private RingMemory(NativeRing* ring, byte* start, long bytes, int pieceShift)
    {
        _ring = ring;
        _start = (ulong)start;
        _bytes = (ulong)bytes;
        PieceShift = pieceShift;
        _isNamed = new bool[PiecesOf(bytes, pieceShift)];
        _lengths = new long[_isNamed.Length];
    }

    /// <inheritdoc/>
    public int PieceShift { get; }

    /// <inheritdoc/>
    public int Pieces => _isNamed.Length;

    /// <inheritdoc/>
    public long Bytes => Volatile.Read(ref _registered);

    /// <inheritdoc/>
    public bool IsRefused => Volatile.Read(ref _isRefused);

    /// <summary>Gives a ring, which has none, an empty table for some memory.</summary>
    /// <param name="ring">The ring.</param>
    /// <param name="start">First byte of the memory; there need not be any as yet.</param>
    /// <param name="bytes">Bytes, 1 or more.</param>
    /// <param name="refusal">Why there is none, as a sentence; null if there is.</param>
    public static RingMemory? TryCreate(NativeRing* ring, byte* start, long bytes, out string? refusal)
    {
        RingProperties properties;
        int result = NativeMethods.RingInfo(ring, &properties);
        Debug.Assert(result == 0, "a ring knows itself");

        // Older kernels pin what was withdrawn until all that was submitted before has completed, and may lack the memory to withdraw.
        if ((properties.Features & RingFeatures.FixedVectors) == 0)
        {
            refusal = "The kernel does not register memory as it is needed here (it is older than 6.15, or a seccomp filter forbids to ask it).";
            return null;
        }

        int shift = ShiftFor(bytes);
        int pieces = PiecesOf(bytes, shift);
        var empty = (IoVector*)NativeMemory.AllocZeroed((nuint)pieces, (nuint)sizeof(IoVector));
        int error = -NativeMethods.RingRegisterBuffers(ring, empty, (uint)pieces);
        NativeMemory.Free(empty);
        refusal = error > 0 ? $"The kernel takes no memory to register: {Errno.Describe(error)}." : null;
        return error > 0 ? null : new RingMemory(ring, start, bytes, shift);
    }

    /// <summary>The entry that a transfer may name instead of an address. False if there is none.</summary>
    /// <param name="address">First byte of the transfer.</param>
    /// <param name="length">Bytes, 1 or more.</param>
    /// <param name="entry">Which.</param>
    public bool TryName(byte* address, ulong length, out ushort entry)
    {
        ulong first = (ulong)address - _start;
        ulong last = first + length - 1;
        if (first < _bytes && last >= first && first >> PieceShift == last >> PieceShift && Volatile.Read(ref _isNamed[(int)(first >> PieceShift)]))
        {
            entry = (ushort)(first >> PieceShift);
            return true;
        }

        entry = 0;
        return false;
    }

    /// <inheritdoc/>
    public bool TryRegister(int piece, byte* start, long length)
    {
        ulong first = (ulong)start - _start;
        Debug.Assert(length > 0 && first >> PieceShift == (ulong)piece && (first + (ulong)length - 1) >> PieceShift == (ulong)piece, "it lies in the piece");
        lock (_lock)
        {
            Debug.Assert(_lengths[piece] == 0, "a piece is registered once at a time");
            if (_isClosed || _isRefused)
            {
                return false;
            }

            if (Replace(piece, start, (nuint)length) != 1)
            {
                // As a rule RLIMIT_MEMLOCK, which holds for all processes of the user: others may want what would come free.
                Volatile.Write(ref _isRefused, true);
                return false;
            }

            _lengths[piece] = length;
            Volatile.Write(ref _registered, _registered + length);
            Volatile.Write(ref _isNamed[piece], true);
            return true;
        }
    }

    /// <inheritdoc/>
    public bool TryWithdraw(int piece)
    {
        lock (_lock)
        {
            if (_isClosed || _lengths[piece] == 0)
            {
                return true;
            }

            Volatile.Write(ref _isNamed[piece], false);
            if (Replace(piece, start: null, length: 0) != 1)
            {
                // The kernel needs nothing to empty an entry; but the process may have forbidden itself the call since.
                return false;
            }

            Volatile.Write(ref _registered, _registered - _lengths[piece]);
            _lengths[piece] = 0;
            return true;
        }
    }

    /// <summary>Takes everything back, for good. Nothing is in flight, and nothing will be.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            Array.Clear(_isNamed);
            Array.Clear(_lengths);
            Volatile.Write(ref _registered, 0);

            // If the kernel refuses, it does so when the ring goes.
            _ = NativeMethods.RingUnregisterBuffers(_ring);
        }
    }

    private static int PiecesOf(long bytes, int shift) => (int)((bytes - 1) >> shift) + 1;

    /// <summary>The smallest pieces of which the table holds enough; no smaller than a huge page, which is pinned as a whole.</summary>
    private static int ShiftFor(long bytes)
    {
        int shift = int.Log2(MemoryRegion.BaseAlignment);
        while (PiecesOf(bytes, shift) > MostPieces)
        {
            shift++;
        }

        return shift;
    }

    private int Replace(int piece, byte* start, nuint length)
    {
        IoVector buffer = new() { Base = start, Length = length };
        return NativeMethods.RingUpdateBuffers(_ring, (uint)piece, &buffer, 1);
    }
}
