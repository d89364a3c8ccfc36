using System.Buffers.Binary;
using System.Runtime.InteropServices;
using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Commits;

/// <summary>How a page's bytes differ from what they were, or from zeros: {offset 2 bytes, length 2 bytes, bytes} for each stretch.</summary>
/// <remarks>The checksum and the LSN in the page's header are left out: they follow from the record (<see cref="PageHeader.LoggedOffset"/>).</remarks>
internal static class PageDelta
{
    private const int StretchHeader = 4;

    /// <summary>The most bytes that the difference of a page takes: stretches are 8 equal bytes apart or more.</summary>
    public static int MaximumSize(int pageSize) => pageSize + (pageSize / 8 * StretchHeader) + StretchHeader;

    /// <summary>Writes the difference.</summary>
    /// <param name="before">What the page was; empty for zeros.</param>
    /// <param name="after">What it is.</param>
    /// <param name="destination">At least <see cref="MaximumSize"/> bytes.</param>
    /// <returns>Bytes written; 0 if there is no difference.</returns>
    public static int Write(ReadOnlySpan<byte> before, ReadOnlySpan<byte> after, Span<byte> destination)
    {
        int written = 0;
        int position = PageHeader.LoggedOffset;
        while (true)
        {
            position += before.IsEmpty ? ZerosIn(after[position..]) : before[position..].CommonPrefixLength(after[position..]);
            if (position == after.Length)
            {
                return written;
            }

            int end = EndOfStretch(before, after, position);
            BinaryPrimitives.WriteUInt16LittleEndian(destination[written..], (ushort)position);
            BinaryPrimitives.WriteUInt16LittleEndian(destination[(written + 2)..], (ushort)(end - position));
            after[position..end].CopyTo(destination[(written + StretchHeader)..]);
            written += StretchHeader + end - position;
            position = end;
        }
    }

    /// <summary>Changes a page by a difference. False if it cannot be one of such a page.</summary>
    public static bool TryApply(ReadOnlySpan<byte> delta, Span<byte> page)
    {
        while (!delta.IsEmpty)
        {
            if (delta.Length < StretchHeader)
            {
                return false;
            }

            int offset = BinaryPrimitives.ReadUInt16LittleEndian(delta);
            int length = BinaryPrimitives.ReadUInt16LittleEndian(delta[2..]);
            delta = delta[StretchHeader..];
            if (offset < PageHeader.LoggedOffset || length == 0 || length > delta.Length || offset + length > page.Length)
            {
                return false;
            }

            delta[..length].CopyTo(page[offset..]);
            delta = delta[length..];
        }

        return true;
    }

    private static int ZerosIn(ReadOnlySpan<byte> bytes)
    {
        int first = bytes.IndexOfAnyExcept((byte)0);
        return first < 0 ? bytes.Length : first;
    }

    /// <summary>Where 8 bytes are equal again, or the page ends.</summary>
    private static int EndOfStretch(ReadOnlySpan<byte> before, ReadOnlySpan<byte> after, int position)
    {
        int end = position;
        while (end + sizeof(ulong) <= after.Length)
        {
            ulong was = before.IsEmpty ? 0 : MemoryMarshal.Read<ulong>(before[end..]);
            if (was == MemoryMarshal.Read<ulong>(after[end..]))
            {
                return end;
            }

            end += sizeof(ulong);
        }

        return after.Length;
    }
}
