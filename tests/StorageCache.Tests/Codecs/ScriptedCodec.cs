using System.Buffers.Binary;

namespace StorageCache.Tests.Codecs;

/// <summary>
/// A host's own codec, which does as a test says: turns each byte round, and stores the page's number in its trailer. It writes all over the
/// trailer in memory, as a codec may.
/// </summary>
internal sealed class ScriptedCodec(Guid fileId, int trailer = 16) : PageCodec(fileId)
{
    private long _encoded;
    private long _decoded;

    /// <summary>Comes before a page is encoded, and may throw.</summary>
    public Action<long>? OnEncode { get; set; }

    /// <summary>Comes before a page is decoded, and may throw.</summary>
    public Action<long>? OnDecode { get; set; }

    public long Encoded => Volatile.Read(ref _encoded);

    public long Decoded => Volatile.Read(ref _decoded);

    public override int TrailerSize => trailer;

    public override void Encode(in PageIdentity identity, ReadOnlySpan<byte> page, Span<byte> stored)
    {
        Interlocked.Increment(ref _encoded);
        OnEncode?.Invoke(identity.Page);
        for (int i = 0; i < page.Length - trailer; i++)
        {
            stored[i] = (byte)~page[i];
        }

        stored[^trailer..].Fill(0xEE);
        BinaryPrimitives.WriteInt64LittleEndian(stored[^trailer..], identity.Page ^ identity.FileId.GetHashCode());
    }

    public override bool TryDecode(in PageIdentity identity, Span<byte> page, out PageDefect defect)
    {
        Interlocked.Increment(ref _decoded);
        OnDecode?.Invoke(identity.Page);
        long found = BinaryPrimitives.ReadInt64LittleEndian(page[^trailer..]) ^ identity.FileId.GetHashCode();
        page[^trailer..].Fill(0xDD);
        for (int i = 0; i < page.Length - trailer; i++)
        {
            page[i] = (byte)~page[i];
        }

        defect = found == identity.Page ? default : new PageDefect("it is another page", $"page {identity.Page}", $"page {found}");
        return found == identity.Page;
    }
}
