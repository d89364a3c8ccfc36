using System.Buffers;
using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Commits;

/// <summary>What a log record says of one page: {page 8 bytes, 1 if from zeros else 0 4 bytes, length 4 bytes, <see cref="PageDelta"/>}.</summary>
/// <param name="page">The page.</param>
/// <param name="isImage">Whether the page begins as zeros, so that what it was does not matter.</param>
/// <param name="delta">The difference.</param>
internal readonly ref struct PageEntry(long page, bool isImage, ReadOnlySpan<byte> delta)
{
    private const int HeaderSize = 16;

    public long Page { get; } = page;

    public bool IsImage { get; } = isImage;

    public ReadOnlySpan<byte> Delta { get; } = delta;

    /// <summary>Adds an entry to a record. False, and nothing is added, if the page is as it was.</summary>
    /// <param name="record">The record.</param>
    /// <param name="page">The page.</param>
    /// <param name="before">What it was; empty to say the whole page.</param>
    /// <param name="after">What it is.</param>
    public static bool TryWrite(ArrayBufferWriter<byte> record, long page, ReadOnlySpan<byte> before, ReadOnlySpan<byte> after)
    {
        Span<byte> entry = record.GetSpan(HeaderSize + PageDelta.MaximumSize(after.Length));
        int length = PageDelta.Write(before, after, entry[HeaderSize..]);
        if (length == 0 && !before.IsEmpty)
        {
            return false;
        }

        BinaryPrimitives.WriteInt64LittleEndian(entry, page);
        BinaryPrimitives.WriteInt32LittleEndian(entry[8..], before.IsEmpty ? 1 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(entry[12..], length);
        record.Advance(HeaderSize + length);
        return true;
    }

    /// <summary>Takes the first entry off the rest of a record. False if there cannot be one.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> rest, out PageEntry entry)
    {
        entry = default;
        if (rest.Length < HeaderSize)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(rest[12..]);
        int form = BinaryPrimitives.ReadInt32LittleEndian(rest[8..]);
        if (length < 0 || length > rest.Length - HeaderSize || form is not (0 or 1))
        {
            return false;
        }

        entry = new PageEntry(BinaryPrimitives.ReadInt64LittleEndian(rest), form == 1, rest.Slice(HeaderSize, length));
        rest = rest[(HeaderSize + length)..];
        return true;
    }
}
