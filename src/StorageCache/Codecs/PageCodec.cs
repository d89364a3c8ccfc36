namespace StorageCache;

/// <summary>
/// What stands between a page in memory and the same page on its device: encodes when a page is stored, and decodes, and so verifies,
/// when it is loaded. Checksums, encryption and the like. Given to a mapping by <see cref="MappingOptions.Codec"/>;
/// <c>docs/codecs.md</c> has the rules.
/// </summary>
/// <remarks>
/// <para>
/// The last <see cref="TrailerSize"/> bytes of each stored page are the codec's. The engine above does not see them: leases show the
/// <see cref="Mapping.UsablePageSize"/> bytes before them, and in memory the trailer is zeros.
/// </para>
/// <para>
/// A page whose stored bytes are all zeros has never been stored, or was punched: it reads as zeros, and the codec is not asked. So a
/// codec must not encode a page that is not zeros into one that is, and whoever must know that a page was not wiped keeps a mark of his
/// own that is not zero in each page.
/// </para>
/// <para>
/// What a codec throws harms nobody but the page: an exception of <see cref="Encode"/> is a failed write of it (never an unencoded
/// write), one of <see cref="TryDecode"/> a failed read. Codecs that are compared by reference, as objects are, share no frames by
/// extent with mappings that have another; override <see cref="object.Equals(object?)"/> and <see cref="object.GetHashCode"/> so that
/// two are equal if each decodes to the same bytes what the other has encoded: kind, <see cref="FileId"/> and key.
/// </para>
/// <para>
/// Thread safety: <see cref="Encode"/> and <see cref="TryDecode"/> are called from any threads at the same time. They run on the threads
/// that complete I/O, and so should neither block nor allocate, and must not call the cache. A codec may serve several mappings; it is
/// not disposed of by the cache, and has to last until those are closed.
/// </para>
/// </remarks>
public abstract class PageCodec
{
    /// <param name="fileId">
    /// What tells the pages of this file from those of all others, chosen by the engine above and kept by it: it has to be the same
    /// whenever the file is opened, and so is not the path. A clone has the identity of its source. Not <see cref="Guid.Empty"/>.
    /// </param>
    /// <exception cref="ArgumentException"><paramref name="fileId"/> is <see cref="Guid.Empty"/>.</exception>
    protected PageCodec(Guid fileId)
    {
        if (fileId == Guid.Empty)
        {
            throw new ArgumentException("A codec needs an identity that tells its file from others; Guid.Empty is none.", nameof(fileId));
        }

        FileId = fileId;
    }

    /// <summary>Tells the pages of this file from those of all others.</summary>
    public Guid FileId { get; }

    /// <summary>Bytes at the end of each stored page that belong to the codec; 0 or more, below the page size. The same for as long as the codec lives.</summary>
    public abstract int TrailerSize { get; }

    /// <summary>Makes what is stored of a page. The page does not change meanwhile.</summary>
    /// <param name="identity">Whose page it is.</param>
    /// <param name="page">The page as it is in memory, whole; its last <see cref="TrailerSize"/> bytes mean nothing.</param>
    /// <param name="stored">Takes what is stored, as long as the page. Every byte is to be written: it holds whatever it held.</param>
    public abstract void Encode(in PageIdentity identity, ReadOnlySpan<byte> page, Span<byte> stored);

    /// <summary>Makes a page of what was stored, in place, if that is what this codec stores of this very page.</summary>
    /// <param name="identity">Whose page it is to be.</param>
    /// <param name="page">
    /// What was stored, whole; not all zeros. Afterwards the page; its last <see cref="TrailerSize"/> bytes may hold anything, and are
    /// cleared by the cache. If it is defect, all of it may hold anything.
    /// </param>
    /// <param name="defect">What is wrong, if the result is false.</param>
    /// <returns>Whether the page is right.</returns>
    public abstract bool TryDecode(in PageIdentity identity, Span<byte> page, out PageDefect defect);
}
