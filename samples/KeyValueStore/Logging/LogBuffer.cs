using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Hashing;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>The bytes of the stream that are appended and not yet written: a ring in which each LSN has its place.</summary>
/// <remarks>Not thread-safe: ranges are the caller's to keep apart. A transfer finds blocks aligned, as the size is a multiple of them.</remarks>
internal sealed unsafe class LogBuffer(int size)
{
    private readonly AlignedBuffer _memory = new(size);

    /// <summary>Hashes what lies around the end of the ring.</summary>
    private XxHash3? _hash;

    /// <summary>Bytes.</summary>
    public int Size => _memory.Size;

    /// <summary>The bytes from an LSN on, up to a length or the end of the ring.</summary>
    public Span<byte> Piece(ulong lsn, long length)
    {
        int start = Index(lsn);
        return _memory.Span.Slice(start, (int)Math.Min(length, Size - start));
    }

    /// <summary>Address of an LSN's byte.</summary>
    public byte* AddressOf(ulong lsn) => _memory.Address + Index(lsn);

    /// <summary>Copies bytes in; returns the LSN behind them.</summary>
    public ulong Put(ulong lsn, ReadOnlySpan<byte> bytes)
    {
        Debug.Assert(bytes.Length <= Size, "Room is reserved before (LOG-15).");
        while (!bytes.IsEmpty)
        {
            Span<byte> piece = Piece(lsn, bytes.Length);
            bytes[..piece.Length].CopyTo(piece);
            bytes = bytes[piece.Length..];
            lsn += (ulong)piece.Length;
        }

        return lsn;
    }

    /// <summary>Fills a range with a number over and over; both are multiples of 8 bytes.</summary>
    public void Fill(ulong lsn, long length, ulong value)
    {
        while (length > 0)
        {
            Span<byte> piece = Piece(lsn, length);
            System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(piece).Fill(BitConverter.IsLittleEndian ? value : BinaryPrimitives.ReverseEndianness(value));
            lsn += (ulong)piece.Length;
            length -= piece.Length;
        }
    }

    /// <summary>Hashes a range.</summary>
    public ulong Hash(ulong lsn, long length, long seed)
    {
        Span<byte> piece = Piece(lsn, length);
        if (piece.Length == length)
        {
            return XxHash3.HashToUInt64(piece, seed);
        }

        _hash ??= new XxHash3(seed);
        _hash.Reset();
        _hash.Append(piece);
        _hash.Append(Piece(lsn + (ulong)piece.Length, length - piece.Length));
        return _hash.GetCurrentHashAsUInt64();
    }

    private int Index(ulong lsn) => (int)(lsn % (ulong)Size);
}
