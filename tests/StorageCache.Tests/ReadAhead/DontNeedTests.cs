using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.ReadAhead;

public sealed class DontNeedTests
{
    [Fact]
    public async Task Pages_that_nobody_uses_are_taken_out_and_others_stay()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: 16 << 20);
        test.Mapping.Prefetch(0, 1000);
        test.Fill(5, 5);
        using PagePin pin = test.Mapping.Pin(7);
        using PageReadLease lease = test.Mapping.Read(600);
        Assert.Equal(997, test.Mapping.DontNeed(0, long.MaxValue));
        Assert.Equal([5L, 7L, 600L], Enumerable.Range(0, 1000).Where(page => test.IsResident(page)).Select(page => (long)page));
        Assert.Equal(5, test.ByteOf(5));
        Assert.Equal(0, test.Mapping.DontNeed(0, 2000));
    }

    [Fact]
    public async Task Only_the_range_is_looked_at()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 2000, memory: 16 << 20);
        test.Mapping.Prefetch(0, 1500);
        Assert.Equal(600, test.Mapping.DontNeed(500, 600));
        Assert.True(test.IsResident(499));
        Assert.False(test.IsResident(500));
        Assert.False(test.IsResident(1099));
        Assert.True(test.IsResident(1100));
        Assert.Equal(0, test.Mapping.DontNeed(5000, 10));
        Assert.Equal(0, test.Mapping.DontNeed(0, 0));
    }

    [Fact]
    public async Task Bad_arguments_are_refused()
    {
        await using TestCache test = await TestCache.OpenAsync();
        Assert.Equal("firstPage", Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.DontNeed(-1, 1)).ParamName);
        Assert.Equal("count", Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.DontNeed(0, -1)).ParamName);
        Assert.Equal("value", Assert.Throws<ArgumentOutOfRangeException>(() => test.Mapping.AccessPattern = (AccessPattern)9).ParamName);
        MappingOptions bad = new() { AccessPattern = (AccessPattern)(-1) };
        Assert.Equal(
            "options.AccessPattern",
            (await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => test.Cache.OpenAsync(new ScriptedDevice(1), bad).AsTask())).ParamName);
    }

    [Fact]
    public async Task A_prefetch_leaves_half_the_cache_to_others()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 100_000, memory: 8 << 20);
        for (long page = 50_000; page < 50_000 + test.Frames; page++)
        {
            test.Mapping.Read(page).Dispose();
        }

        long started = test.Mapping.Prefetch(0, long.MaxValue);
        Assert.InRange(started, test.Frames / 4, test.Frames / 2);
        Assert.Equal(0, test.Mapping.Prefetch(long.MaxValue - 5, long.MaxValue));
    }
}
