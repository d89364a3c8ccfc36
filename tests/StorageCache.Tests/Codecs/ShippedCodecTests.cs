using System.Buffers.Binary;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <summary>The codecs by themselves: what they find, and whom they take for equal.</summary>
public sealed class ShippedCodecTests
{
    private const int PageSize = 4096;

    public static TheoryData<string> Shipped => ["checksum", "aes"];

    [Theory]
    [MemberData(nameof(Shipped))]
    public void What_is_encoded_decodes_to_the_page(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        foreach (int size in new[] { 512, 4096, 16384, 65536 })
        {
            byte[] page = Noise(size, size);
            byte[] stored = Encode(codec, 7, page);
            Assert.True(codec.TryDecode(new PageIdentity(codec.FileId, 7), stored, out PageDefect defect), defect.ToString());
            Assert.Equal(page.AsSpan(0, size - codec.TrailerSize), stored.AsSpan(0, size - codec.TrailerSize));
        }
    }

    [Theory]
    [MemberData(nameof(Shipped))]
    public void A_bit_that_flips_anywhere_is_found(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        byte[] stored = Encode(codec, 7, Noise(PageSize, 1));
        byte[] copy = new byte[PageSize];
        for (int i = 0; i < PageSize; i++)
        {
            stored.CopyTo(copy, 0);
            copy[i] ^= (byte)(1 << (i % 8));
            Assert.False(codec.TryDecode(new PageIdentity(codec.FileId, 7), copy, out PageDefect defect), $"byte {i}");
            Assert.NotEmpty(defect.Reason);
        }
    }

    [Theory]
    [MemberData(nameof(Shipped))]
    public void A_page_torn_between_any_sectors_is_found(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        byte[] before = Encode(codec, 7, Noise(PageSize, 1));
        byte[] after = Encode(codec, 7, Noise(PageSize, 2));
        byte[] zeros = new byte[PageSize];
        foreach (byte[] older in new[] { before, zeros })
        {
            for (int mask = 1; mask < 255; mask++)
            {
                byte[] torn = new byte[PageSize];
                for (int sector = 0; sector < 8; sector++)
                {
                    ((mask >> sector & 1) != 0 ? after : older).AsSpan(sector * 512, 512).CopyTo(torn.AsSpan(sector * 512));
                }

                Assert.False(codec.TryDecode(new PageIdentity(codec.FileId, 7), torn, out _), $"sectors {mask:b8}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Shipped))]
    public void A_page_in_anothers_place_is_found_whichever_that_is(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        byte[] stored = Encode(codec, 7, Noise(PageSize, 1));
        foreach (long page in new[] { 0, 6, 8, 7L + (1L << 32), 7L << 8, long.MaxValue })
        {
            Assert.False(codec.TryDecode(new PageIdentity(codec.FileId, page), (byte[])stored.Clone(), out _), $"page {page}");
        }

        Assert.False(codec.TryDecode(new PageIdentity(TestCodecs.OtherFileId, 7), (byte[])stored.Clone(), out _), "the other file");
        Assert.False(TestCodecs.Make(kind, TestCodecs.OtherFileId).TryDecode(new PageIdentity(TestCodecs.OtherFileId, 7), (byte[])stored.Clone(), out _), "the other codec");
    }

    [Fact]
    public void A_checksum_that_does_not_match_says_which_was_expected_and_which_found()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        byte[] stored = Encode(codec, 7, Noise(PageSize, 1));
        stored[5]++;
        Assert.False(codec.TryDecode(new PageIdentity(codec.FileId, 7), stored, out PageDefect defect));
        Assert.Equal(16, defect.Expected!.Length);
        Assert.Equal(16, defect.Found!.Length);
        Assert.NotEqual(defect.Expected, defect.Found);
        Assert.Equal($"its checksum does not match (expected {defect.Expected}, found {defect.Found})", defect.ToString());
    }

    /// <summary>A format that files have been written in does not change.</summary>
    [Fact]
    public void A_checksum_is_what_it_has_always_been()
    {
        byte[] page = new byte[PageSize];
        for (int i = 0; i < PageSize; i++)
        {
            page[i] = (byte)i;
        }

        byte[] stored = Encode(new ChecksumPageCodec(TestCodecs.FileId), 7, page);
        Assert.Equal("E005185F79D6AA26", Convert.ToHexString(stored.AsSpan(PageSize - 8)));
    }

    [Fact]
    public void An_identity_is_written_as_its_text_has_it_and_its_page_with_the_least_byte_first()
    {
        byte[] bytes = new byte[PageIdentity.SizeInBytes];
        new PageIdentity(TestCodecs.FileId, 0x0102).CopyTo(bytes);
        Assert.Equal("0F0E0D0C0B0A090807060504030201000201000000000000", Convert.ToHexString(bytes));
        Assert.Throws<ArgumentException>(() => new PageIdentity(TestCodecs.FileId, 1).CopyTo(new byte[23]));
    }

    [Fact]
    public void Encryption_needs_the_key_and_shows_nothing_of_the_page()
    {
        using AesGcmPageCodec codec = new(TestCodecs.FileId, TestCodecs.Key.ToArray());
        byte[] page = new byte[PageSize];
        page.AsSpan().Fill(65);
        byte[] first = Encode(codec, 7, page);
        byte[] second = Encode(codec, 7, page);
        Assert.True(first.AsSpan().CommonPrefixLength(second) < 16, "two writes of one page look alike");
        Assert.True(first.AsSpan().IndexOf("AAAA"u8) < 0, "the page shows");
        foreach (int length in new[] { 16, 24, 32 })
        {
            byte[] key = TestCodecs.Key.Take(length).ToArray();
            key[3] ^= 1;
            using AesGcmPageCodec other = new(TestCodecs.FileId, key);
            Assert.False(other.TryDecode(new PageIdentity(codec.FileId, 7), (byte[])first.Clone(), out PageDefect defect));
            Assert.Contains("authentication failed", defect.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Nonces_are_drawn_and_not_counted()
    {
        // A count would begin anew with each process, or each codec, and use a nonce twice under one key.
        const int Writes = 100;
        const int NonceBits = 96;
        int[] ones = new int[NonceBits];
        HashSet<ulong> parts = [];
        for (int write = 0; write < Writes; write++)
        {
            using AesGcmPageCodec codec = new(TestCodecs.FileId, TestCodecs.Key.ToArray());
            Span<byte> nonce = Encode(codec, 7, new byte[PageSize]).AsSpan(PageSize - codec.TrailerSize, NonceBits / 8);
            Assert.True(parts.Add(BinaryPrimitives.ReadUInt64LittleEndian(nonce)), "eight bytes of a nonce came twice");
            Assert.True(parts.Add(BinaryPrimitives.ReadUInt64LittleEndian(nonce[4..])), "eight bytes of a nonce came twice");
            for (int bit = 0; bit < NonceBits; bit++)
            {
                ones[bit] += (nonce[bit / 8] >> (bit % 8)) & 1;
            }
        }

        // Each bit is set in half of them; a tenth is eight standard deviations away.
        Assert.All(ones, static count => Assert.InRange(count, Writes / 10, Writes - (Writes / 10)));
    }

    [Fact]
    public void Codecs_are_equal_if_each_decodes_what_the_other_encodes()
    {
        byte[] key = TestCodecs.Key.ToArray();
        byte[] otherKey = [.. TestCodecs.Key.Reverse()];
        using AesGcmPageCodec aes = new(TestCodecs.FileId, key);
        using AesGcmPageCodec same = new(TestCodecs.FileId, key);
        using AesGcmPageCodec otherFile = new(TestCodecs.OtherFileId, key);
        using AesGcmPageCodec other = new(TestCodecs.FileId, otherKey);
        using AesGcmPageCodec shorter = new(TestCodecs.FileId, key.AsSpan(0, 16));
        Assert.Equal<PageCodec>(aes, same);
        Assert.Equal(aes.GetHashCode(), same.GetHashCode());
        Assert.NotEqual<PageCodec>(aes, otherFile);
        Assert.NotEqual<PageCodec>(aes, other);
        Assert.NotEqual<PageCodec>(aes, shorter);
        Assert.NotEqual<PageCodec>(shorter, aes);
        Assert.NotEqual<PageCodec>(aes, new ChecksumPageCodec(TestCodecs.FileId));
        Assert.Equal<PageCodec>(new ChecksumPageCodec(TestCodecs.FileId), new ChecksumPageCodec(TestCodecs.FileId));
        Assert.NotEqual<PageCodec>(new ChecksumPageCodec(TestCodecs.FileId), new ChecksumPageCodec(TestCodecs.OtherFileId));
        Assert.NotEqual<PageCodec>(new ScriptedCodec(TestCodecs.FileId), new ScriptedCodec(TestCodecs.FileId));
        same.Dispose();
        Assert.NotEqual<PageCodec>(aes, same);
        Assert.NotEqual<PageCodec>(same, aes);
        Assert.Equal<PageCodec>(same, same);
    }

    [Fact]
    public void A_key_is_the_codecs_own_and_gone_with_it()
    {
        byte[] key = TestCodecs.Key.ToArray();
        AesGcmPageCodec codec = new(TestCodecs.FileId, key);
        byte[] stored = Encode(codec, 7, Noise(PageSize, 1));
        Array.Clear(key);
        Assert.True(codec.TryDecode(new PageIdentity(codec.FileId, 7), (byte[])stored.Clone(), out _));
        codec.Dispose();
        codec.Dispose();
        Assert.Throws<ObjectDisposedException>(() => codec.TryDecode(new PageIdentity(codec.FileId, 7), stored, out PageDefect _));
        Assert.Throws<ObjectDisposedException>(() => Encode(codec, 7, Noise(PageSize, 1)));
    }

    [Fact]
    public void What_cannot_be_a_codec_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new ChecksumPageCodec(Guid.Empty));
        Assert.Throws<ArgumentException>(() => new AesGcmPageCodec(Guid.Empty, new byte[16]));
        foreach (int length in new[] { 0, 15, 17, 31, 33, 64 })
        {
            Assert.Throws<ArgumentException>(() => new AesGcmPageCodec(TestCodecs.FileId, new byte[length]));
        }
    }

    [Theory]
    [MemberData(nameof(Shipped))]
    public async Task Many_use_one_codec_at_once(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() =>
        {
            for (int i = 0; i < 300; i++)
            {
                byte[] page = Noise(PageSize, (worker * 1000) + i);
                byte[] stored = Encode(codec, i, page);
                Assert.True(codec.TryDecode(new PageIdentity(codec.FileId, i), stored, out PageDefect _));
                Assert.Equal(page.AsSpan(0, PageSize - codec.TrailerSize), stored.AsSpan(0, PageSize - codec.TrailerSize));
            }
        })));
    }

    [Fact]
    public async Task A_codec_can_be_disposed_of_while_others_use_it()
    {
        for (int round = 0; round < 100; round++)
        {
            AesGcmPageCodec codec = new(TestCodecs.FileId, TestCodecs.Key.ToArray());
            Task[] users = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                try
                {
                    byte[] page = Noise(512, 1);
                    while (true)
                    {
                        byte[] stored = Encode(codec, 1, page);
                        Assert.True(codec.TryDecode(new PageIdentity(codec.FileId, 1), stored, out PageDefect _));
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            }))];
            codec.Dispose();
            await Task.WhenAll(users);
        }
    }

    private static byte[] Noise(int size, int seed)
    {
        byte[] page = new byte[size];
        new Random(seed).NextBytes(page);
        return page;
    }

    private static byte[] Encode(PageCodec codec, long page, byte[] content)
    {
        byte[] stored = new byte[content.Length];
        codec.Encode(new PageIdentity(codec.FileId, page), content, stored);
        return stored;
    }
}
