using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

/// <summary>What mixtures of reads cost: counted in requests, and in pages read in vain.</summary>
public sealed class ReadPatternTests
{
    private const int StreamLength = 150;
    private const int RandomFrom = 1_000_000;
    private const int RandomPages = 1_000_000;

    /// <summary>What a stream of <see cref="StreamLength"/> pages takes: three by themselves, 4 + 8 + 16 + 32 + 64, and up to two more windows.</summary>
    private const int RequestsPerStream = 10;

    /// <remarks>RA-12.</remarks>
    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public async Task Many_interleaved_streams_are_each_read_ahead_of(int streams)
    {
        await using TestCache test = await OpenAsync();
        await ReadStreamsAsync(test, streams, randomPerRead: 0);

        Assert.InRange(test.Device.Reads, 8 * streams, RequestsPerStream * streams);
        Assert.Equal(test.Device.ReadCalls.Sum(call => call.Segments), test.Device.ReadCalls.SelectMany(PagesOf).Distinct().Count());
        Assert.Equal(0, test.Cache.GetStatistics().PrefetchedPagesUnused);
    }

    /// <remarks>RA-12.</remarks>
    [Theory]
    [InlineData(1, 16)]
    [InlineData(2, 8)]
    [InlineData(16, 4)]
    [InlineData(64, 1)]
    [InlineData(64, 3)]
    public async Task Streams_are_found_among_random_reads(int streams, int randomPerRead)
    {
        await using TestCache test = await OpenAsync();
        int random = await ReadStreamsAsync(test, streams, randomPerRead);

        // A beginning that is crowded out costs a few more, and so does a mark that goes before it is met.
        int requests = test.Device.ReadCalls.Count(call => call.Page < RandomFrom);
        Assert.InRange(requests, 8 * streams, (RequestsPerStream + 2) * streams);

        // RA-6: random reads get what they ask for.
        Assert.InRange(test.Device.ReadCalls.Where(call => call.Page >= RandomFrom).Sum(call => call.Segments), 0, random + (random / 100));
    }

    /// <remarks>RA-12.</remarks>
    [Fact]
    public async Task Of_more_streams_than_there_are_places_for_as_many_are_read_ahead_of_as_there_are()
    {
        const int Streams = 100;
        await using TestCache test = await OpenAsync();
        await ReadStreamsAsync(test, Streams, randomPerRead: 0);

        Assert.InRange(test.Device.Reads, 1, (RequestsPerStream * 64) + (StreamLength * (Streams - 64)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(16)]
    public async Task Random_reads_of_a_small_part_waste_little_beside_a_scan_that_wastes_nothing(int scannedPerRead)
    {
        const int Part = 3000;
        await using TestCache test = await TestCache.OpenAsync(pages: 200_000, memory: 2 << 20, pattern: AccessPattern.Normal);
        Random random = new(5);
        long next = Part + 1000;
        for (int i = 0; i < 64_000 / scannedPerRead; i++)
        {
            test.Mapping.Read(random.Next(Part)).Dispose();
            for (int n = 0; n < scannedPerRead; n++)
            {
                test.Mapping.Read(next++).Dispose();
            }
        }

        // RA-6.
        IReadOnlyList<DeviceCall> calls = test.Device.ReadCalls;
        int requests = calls.Count(call => call.Page < Part);
        Assert.InRange(calls.Where(call => call.Page < Part).Sum(call => call.Segments), requests, (requests * 101 / 100) + 40);
        Assert.InRange(calls.Count(call => call.Page >= Part), 1, (int)(next - Part) / 16);
    }

    [Theory]
    [InlineData(+1)]
    [InlineData(-1)]
    public async Task A_scan_takes_as_many_requests_in_one_direction_as_in_the_other(int direction)
    {
        foreach ((int pages, long memory, int requests) in new[] { (255, 64L << 20, 9), (256, 64L << 20, 9), (300, 2L << 20, 14), (1000, 1L << 20, 75), (1000, 64L << 20, 11) })
        {
            await using TestCache test = await TestCache.OpenAsync(pages: pages, memory: memory, pattern: AccessPattern.Normal);
            for (long step = 0; step < pages; step++)
            {
                test.Mapping.Read(direction > 0 ? step : pages - 1 - step).Dispose();
            }

            Assert.Equal(requests, test.Device.Reads);
            Assert.Equal(pages, test.Device.ReadCalls.Sum(call => call.Segments));
        }
    }

    private static Task<TestCache> OpenAsync() =>
        TestCache.OpenAsync(pages: RandomFrom + RandomPages, memory: 128 << 20, pattern: AccessPattern.Normal);

    /// <summary>Reads streams page by page in turn, every other one backward, and random pages in between. Returns how many of these.</summary>
    private static async Task<int> ReadStreamsAsync(TestCache test, int streams, int randomPerRead)
    {
        Random random = new(5);
        int done = 0;
        for (int step = 0; step < StreamLength; step++)
        {
            for (int stream = 0; stream < streams; stream++)
            {
                long start = stream * 10_000L;
                (await test.Mapping.ReadAsync(stream % 2 == 0 ? start + step : start + StreamLength - step)).Dispose();
                for (int i = 0; i < randomPerRead; i++, done++)
                {
                    (await test.Mapping.ReadAsync(RandomFrom + random.Next(RandomPages))).Dispose();
                }
            }
        }

        return done;
    }

    private static IEnumerable<long> PagesOf(DeviceCall call) => Enumerable.Range(0, call.Segments).Select(i => call.Page + i);
}
