using System.Buffers.Binary;
using System.IO.Hashing;

namespace StorageCache;

/// <summary>
/// Stores each page with a checksum: 64 bits of XXH3 over its bytes, bound to file and page number. Finds damage, torn writes and pages
/// stored in another's place; does not keep anybody from making up pages (for that see <see cref="AesGcmPageCodec"/>).
/// </summary>
/// <remarks>
/// The checksum is of the page without its trailer, seeded with the XXH3 of the page's identity (<see cref="PageIdentity.CopyTo"/>), and is
/// stored in 8 bytes, least first. Immutable, and so thread-safe.
/// </remarks>
public sealed class ChecksumPageCodec : PageCodec, IEquatable<ChecksumPageCodec>
{
    private const int ChecksumSize = sizeof(ulong);

    /// <param name="fileId">See <see cref="PageCodec(Guid)"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="fileId"/> is <see cref="Guid.Empty"/>.</exception>
    public ChecksumPageCodec(Guid fileId)
        : base(fileId)
    {
    }

    /// <summary>8 bytes.</summary>
    public override int TrailerSize => ChecksumSize;

    /// <inheritdoc/>
    public override void Encode(in PageIdentity identity, ReadOnlySpan<byte> page, Span<byte> stored)
    {
        ReadOnlySpan<byte> content = page[..^ChecksumSize];
        content.CopyTo(stored);
        BinaryPrimitives.WriteUInt64LittleEndian(stored[^ChecksumSize..], ChecksumOf(identity, content));
    }

    /// <inheritdoc/>
    public override bool TryDecode(in PageIdentity identity, Span<byte> page, out PageDefect defect)
    {
        ulong expected = BinaryPrimitives.ReadUInt64LittleEndian(page[^ChecksumSize..]);
        ulong found = ChecksumOf(identity, page[..^ChecksumSize]);
        defect = found == expected ? default : new PageDefect("its checksum does not match", $"{expected:x16}", $"{found:x16}");
        return found == expected;
    }

    /// <summary>Whether the other is of the same file.</summary>
    public bool Equals(ChecksumPageCodec? other) => other is not null && other.FileId == FileId;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ChecksumPageCodec);

    /// <inheritdoc/>
    public override int GetHashCode() => FileId.GetHashCode();

    private static ulong ChecksumOf(in PageIdentity identity, ReadOnlySpan<byte> content)
    {
        Span<byte> whose = stackalloc byte[PageIdentity.SizeInBytes];
        identity.CopyTo(whose);
        return XxHash3.HashToUInt64(content, (long)XxHash3.HashToUInt64(whose));
    }
}
