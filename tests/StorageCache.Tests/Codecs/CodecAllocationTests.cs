using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <remarks>PC-12.</remarks>
[Collection(nameof(Alone))]
public sealed class CodecAllocationTests
{
    public static TheoryData<string> Kinds => [.. TestCodecs.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Loads_and_stores_of_encoded_pages_allocate_nothing_in_steady_state(string kind)
    {
        const int Pages = 1200;
        await using TestCache test = await TestCache.OpenAsync(pages: Pages, memory: TestCache.Smallest * 2, codec: TestCodecs.Make(kind), dirtyBackground: 0.1);
        test.Device.Records = false;
        Random random = new(1);
        void Work(int count)
        {
            for (int i = 0; i < count; i++)
            {
                using (PageWriteLease lease = test.Mapping.Write(random.Next(Pages)))
                {
                    lease.Span[5]++;
                    lease.MarkDirty();
                }

                test.Mapping.Read(random.Next(Pages)).Dispose();
            }
        }

        Work(4000);
        long least = long.MaxValue;
        for (int batch = 0; batch < 8 && least > 1000; batch++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            PageCacheStatistics statistics = test.Cache.GetStatistics();
            Work(1500);
            Assert.True(test.Cache.GetStatistics().BytesWritten - statistics.BytesWritten > 300 * 4096);
            Assert.True(test.Cache.GetStatistics().BytesRead - statistics.BytesRead > 300 * 4096);
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        // The runtime may allocate something of its own now and then; a page that did would do so hundreds of times.
        Assert.InRange(least, 0, 1000);
    }
}
