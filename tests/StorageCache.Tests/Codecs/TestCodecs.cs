namespace StorageCache.Tests.Codecs;

/// <summary>Codecs to test with.</summary>
internal static class TestCodecs
{
    public static readonly Guid FileId = new("0f0e0d0c-0b0a-0908-0706-050403020100");

    public static readonly Guid OtherFileId = new("1f0e0d0c-0b0a-0908-0706-050403020100");

    public static IReadOnlyList<byte> Key { get; } = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    /// <summary>The codecs that are shipped, and one of a host's own.</summary>
    public static IEnumerable<string> Kinds => ["checksum", "aes", "scripted"];

    /// <summary>A codec; two of one kind and file are equal, but for those of a host's own.</summary>
    public static PageCodec Make(string kind, Guid? file = null) => kind switch
    {
        "checksum" => new ChecksumPageCodec(file ?? FileId),
        "aes" => new AesGcmPageCodec(file ?? FileId, Key.ToArray()),
        _ => new ScriptedCodec(file ?? FileId),
    };

    /// <summary>What a page holds, whole, decoded from what is stored of it.</summary>
    public static byte[] Decode(PageCodec codec, long page, ReadOnlySpan<byte> stored)
    {
        byte[] bytes = stored.ToArray();
        if (bytes.AsSpan().ContainsAnyExcept((byte)0))
        {
            if (!codec.TryDecode(new PageIdentity(codec.FileId, page), bytes, out PageDefect defect))
            {
                throw new InvalidOperationException($"page {page}: {defect}");
            }

            bytes.AsSpan(bytes.Length - codec.TrailerSize).Clear();
        }

        return bytes;
    }

    /// <summary>What is stored of a page that is filled with a byte.</summary>
    public static byte[] Encode(PageCodec codec, long page, byte value, int pageSize = 4096)
    {
        byte[] content = new byte[pageSize];
        content.AsSpan(0, pageSize - codec.TrailerSize).Fill(value);
        byte[] stored = new byte[pageSize];
        codec.Encode(new PageIdentity(codec.FileId, page), content, stored);
        return stored;
    }
}
