using System.Buffers.Binary;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <summary>Many at once on the pages of a cache that is as small as there can be, which therefore go to and fro all the time.</summary>
public sealed class CodecStressTests
{
    private const int Pages = 300;
    private const int Workers = 4;

    public static IEnumerable<TheoryDataRow<IoEngine, string>> Engines =>
        from engine in TestEngines.Each
        from kind in TestCodecs.Kinds
        select new TheoryDataRow<IoEngine, string>(engine.Data, kind) { Skip = engine.Skip };

    /// <summary>Each page is filled with its number and a count that only ever grows.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Pages_that_come_and_go_are_whole_and_never_older_than_they_were(IoEngine engine, string kind)
    {
        using ScratchDirectory directory = new();
        PageCodec codec = TestCodecs.Make(kind);
        long[] counts = new long[Pages];
        await using (PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = TestCache.Smallest,
            MaximumMemoryLimit = 8 << 20,
            IoEngine = engine,
            WriteBackInterval = TimeSpan.FromMilliseconds(1),
            Guarded = true,
        }))
        {
            Mapping mapping = await cache.OpenAsync(directory.File("a"), new MappingOptions { Codec = codec });
            await mapping.ExtendAsync(Pages * 4096);
            int rounds = (int)(150 * Math.Max(1, StressTime.Of(1).TotalSeconds));
            Task[] workers = [.. Enumerable.Range(0, Workers).Select(worker => Task.Run(() => WorkAsync(mapping, counts, worker, rounds)))];
            for (int i = 0; i < 6; i++)
            {
                await cache.ResizeAsync(i % 2 == 0 ? 8 << 20 : TestCache.Smallest);
                await mapping.FlushAsync();
            }

            await Task.WhenAll(workers).InTime();
            await mapping.FlushAsync();
            await Quiet.CheckAsync(cache, "after the storm");
            Assert.Equal(0, cache.GetStatistics().CorruptPages);
            await mapping.CloseAsync();
        }

        byte[] stored = await File.ReadAllBytesAsync(directory.File("a"));
        for (int page = 0; page < Pages; page++)
        {
            Assert.Equal(counts[page], CountIn(TestCodecs.Decode(codec, page, stored.AsSpan(page * 4096, 4096)).AsSpan(0, 4096 - codec.TrailerSize), page));
        }
    }

    private static async Task WorkAsync(Mapping mapping, long[] counts, int worker, int rounds)
    {
        Random random = new(worker);
        for (int i = 0; i < rounds; i++)
        {
            int page = random.Next(Pages);
            switch (random.Next(4))
            {
                case 0:
                    mapping.Prefetch(page, random.Next(20));
                    break;
                case 1:
                    using (PageWriteLease lease = random.Next(2) == 0 ? mapping.Write(page) : await mapping.WriteAsync(page))
                    {
                        Assert.Equal(counts[page], CountIn(lease.Span, page));
                        counts[page]++;
                        Fill(lease.Span, page, counts[page]);
                        lease.MarkDirty();
                    }

                    break;
                case 2:
                    using (PageWriteLease lease = await mapping.WriteNewAsync(page))
                    {
                        Assert.False(lease.Span.ContainsAnyExcept((byte)0));
                        counts[page]++;
                        Fill(lease.Span, page, counts[page]);
                    }

                    break;
                default:
                    using (PageReadLease lease = random.Next(2) == 0 ? mapping.Read(page) : await mapping.ReadAsync(page))
                    {
                        Assert.Equal(counts[page], CountIn(lease.Span, page));
                    }

                    break;
            }
        }
    }

    private static void Fill(Span<byte> page, int number, long count)
    {
        page.Fill((byte)(number ^ count));
        BinaryPrimitives.WriteInt32LittleEndian(page, number);
        BinaryPrimitives.WriteInt64LittleEndian(page[4..], count);
    }

    /// <summary>The count that a page was filled with; 0 if it never was.</summary>
    private static long CountIn(ReadOnlySpan<byte> page, int number)
    {
        long count = BinaryPrimitives.ReadInt64LittleEndian(page[4..]);
        Assert.Equal(count == 0 ? 0 : number, BinaryPrimitives.ReadInt32LittleEndian(page));
        Assert.True(page[12..].IndexOfAnyExcept(count == 0 ? (byte)0 : (byte)(number ^ count)) < 0, $"page {number} is torn");
        return count;
    }
}
