using System.Buffers.Binary;

namespace StorageCache;

/// <summary>Whose page it is that is encoded or decoded: what is stored elsewhere, be it right in itself, is not this page.</summary>
/// <param name="FileId">The file; see <see cref="PageCodec.FileId"/>.</param>
/// <param name="Page">The page's number in its mapping, 0 or more.</param>
public readonly record struct PageIdentity(Guid FileId, long Page)
{
    /// <summary>Bytes that <see cref="CopyTo"/> writes.</summary>
    public const int SizeInBytes = 24;

    /// <summary>
    /// Writes the identity in the form in which codecs put it under their checksums: the 16 bytes of the file's identity as its text has
    /// them, then the page's number in 8 bytes, least first.
    /// </summary>
    /// <param name="destination">Takes the first <see cref="SizeInBytes"/> bytes.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is shorter than <see cref="SizeInBytes"/>.</exception>
    public void CopyTo(Span<byte> destination)
    {
        if (destination.Length < SizeInBytes)
        {
            throw new ArgumentException($"There is room for {destination.Length} bytes; a page's identity takes {SizeInBytes}.", nameof(destination));
        }

        FileId.TryWriteBytes(destination, bigEndian: true, out int written);
        BinaryPrimitives.WriteInt64LittleEndian(destination[written..], Page);
    }
}
