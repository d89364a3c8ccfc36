using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

/// <summary>A page that is wanted without its content is dirty from the start (WB-10).</summary>
public class WriteNewDirtTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_page_that_was_had_new_and_never_marked_is_zeros_for_good(bool isResident, bool isTried)
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(3, 7);
        await test.Mapping.FlushAsync();
        test.Evict(3);
        if (isResident)
        {
            test.Mapping.Read(3).Dispose();
        }

        if (isTried)
        {
            Assert.True(test.Mapping.TryWriteNew(3, out PageWriteLease lease));
            lease.Dispose();
        }
        else
        {
            (await test.Mapping.WriteNewAsync(3)).Dispose();
        }

        await test.Mapping.FlushAsync();
        test.Evict(3);
        using PageReadLease read = test.Mapping.Read(3);
        Assert.False(read.Span.ContainsAnyExcept((byte)0));
    }
}
