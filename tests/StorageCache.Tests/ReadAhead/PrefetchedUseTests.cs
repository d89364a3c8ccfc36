using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

/// <summary>What counts as a use of a page that was read ahead, and what as waste.</summary>
public sealed class PrefetchedUseTests
{
    private const int First = 10;
    private const int Count = 8;

    [Theory]
    [InlineData("read")]
    [InlineData("write")]
    [InlineData("pin")]
    public async Task A_page_that_is_waited_for_while_it_is_read_ahead_is_not_read_in_vain(string way)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000);
        test.Device.Hold = _ => true;
        Assert.Equal(Count, test.Mapping.Prefetch(First, Count));
        Task[] uses = [.. Enumerable.Range(First, Count).Select(page => UseAsync(test.Mapping, page, way))];
        test.Device.ReleaseAll();
        await Task.WhenAll(uses).InTime();

        EvictAll(test);
        Assert.Equal(0, test.Cache.GetStatistics().PrefetchedPagesUnused);
    }

    [Fact]
    public async Task A_page_that_nobody_asks_for_is_read_in_vain()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000);
        Assert.Equal(Count, test.Mapping.Prefetch(First, Count));
        test.Mapping.Read(First).Dispose();
        EvictAll(test);
        Assert.Equal(Count - 1, test.Cache.GetStatistics().PrefetchedPagesUnused);
    }

    private static void EvictAll(TestCache test)
    {
        for (int page = First; page < First + Count; page++)
        {
            test.Evict(page);
        }
    }

    private static async Task UseAsync(Mapping mapping, long page, string way)
    {
        switch (way)
        {
            case "read":
                (await mapping.ReadAsync(page)).Dispose();
                break;
            case "write":
                (await mapping.WriteAsync(page)).Dispose();
                break;
            default:
                (await mapping.PinAsync(page)).Dispose();
                break;
        }
    }
}
