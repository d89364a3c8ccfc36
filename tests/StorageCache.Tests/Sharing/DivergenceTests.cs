using StorageCache.Tests.FileSystems;
using Xunit;
using static StorageCache.Tests.Sharing.SharingScratch;

namespace StorageCache.Tests.Sharing;

/// <summary>Files that had their blocks in common and are written since.</summary>
/// <remarks>P-3, P-5, SH-2, SH-3, SH-7.</remarks>
public sealed class DivergenceTests
{
    private const int Pages = 300;

    [Theory]
    [InlineData(FileSystem.Xfs, 4096)]
    [InlineData(FileSystem.Btrfs, 4096)]
    [InlineData(FileSystem.Btrfs, 16384)]
    public async Task Each_owner_keeps_its_own_bytes_in_memory_and_on_the_device(string type, int pageSize)
    {
        await using SharingScratch scratch = new(type, pageSize);
        byte[] a = scratch.Create("a", 60 * pageSize);
        byte[] b = [.. a];
        byte[] c = [.. a];
        Mapping first = await scratch.OpenAsync("a");
        AssertHolds(first, a);
        scratch.Reflink("a", "b");
        Mapping second = await scratch.OpenAsync("b");
        Mapping third = (await first.CloneAsync(scratch.PathOf("c"))).Mapping;
        AssertHolds(second, b);
        AssertHolds(third, c);
        Assert.Equal(60, scratch.FramesInUse);

        // In the source, in the clone, in both.
        for (int page = 0; page < 20; page++)
        {
            Write(first, a, page, 100 + page);
            Write(second, b, page + 10, 200 + page);
        }

        AssertAll();
        Assert.Equal(60 + 40, scratch.FramesInUse);
        await second.FlushAsync();
        AssertAll();
        Evict(second);
        AssertAll();
        Write(third, c, 15, 300);
        Write(third, c, 15, 301);
        await first.FlushAsync();
        await third.FlushAsync();
        Evict(first);
        Evict(third);
        AssertAll();
        Evict(second);
        Evict(first);
        Evict(third);
        Assert.Equal(0, scratch.FramesInUse);
        AssertAll();

        // What there was, but for page 15, which nobody has any more; what the first and second have written; and that page of the third.
        Assert.Equal(60 + 40 + 1 - 1, scratch.FramesInUse);
        await scratch.CheckAsync("evicted");

        await first.CloseAsync();
        await second.CloseAsync();
        await third.CloseAsync();
        first = await scratch.OpenAsync("a");
        third = await scratch.OpenAsync("c");
        second = await scratch.OpenAsync("b");
        AssertAll();
        await scratch.CheckAsync("reopened");

        void AssertAll()
        {
            AssertHolds(second, b);
            AssertHolds(first, a);
            AssertHolds(third, c);
        }
    }

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Everything_but_the_bytes_is_each_owners_own(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] a = scratch.Create("a", 8 * PageSize);
        byte[] b = [.. a];
        Mapping first = await scratch.OpenAsync("a");
        AssertHolds(first, a);
        scratch.Reflink("a", "b");
        Mapping second = await scratch.OpenAsync("b");
        AssertHolds(second, b);
        Write(first, a, 2, 2, lsn: 77);
        using (PageWriteLease lease = first.Write(2))
        {
            lease.PrivateWord = 5;
        }

        using (PageReadLease lease = second.Read(2))
        {
            Assert.Equal((0UL, 0UL), (lease.Lsn, lease.PrivateWord));
        }

        // A word of one owner's, of a page that has its frame in common.
        using (PageWriteLease lease = second.Write(3))
        {
            lease.PrivateWord = 9;
        }

        using (PageReadLease lease = first.Read(3))
        {
            Assert.Equal(0UL, lease.PrivateWord);
        }

        Assert.Equal(1, scratch.Cache.GetStatistics().DirtyPages);
        await second.FlushAsync();
        Assert.Equal(1, scratch.Cache.GetStatistics().DirtyPages);
        using (PageReadLease lease = first.Read(2))
        {
            Assert.Equal((77UL, 5UL), (lease.Lsn, lease.PrivateWord));
        }

        AssertHolds(first, a);
        AssertHolds(second, b);
        await first.FlushAsync();
        Assert.Equal(0, scratch.Cache.GetStatistics().DirtyPages);
        AssertHolds(first, a);
        AssertHolds(second, b);
        await scratch.CheckAsync("flushed");
    }

    /// <summary>A cache that has room for a small part of them: what was evicted is found again, in memory or on the device.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Files_that_do_not_fit_are_read_again_and_again(string type)
    {
        const int Files = 4;
        Random random = new(3);
        await using SharingScratch scratch = new(type, memory: 0);
        byte[] bytes = scratch.Create("file0", Pages * PageSize);
        List<byte[]> models = [];
        List<Mapping> mappings = [];
        for (int file = 0; file < Files; file++)
        {
            if (file > 0)
            {
                scratch.Reflink("file0", $"file{file}");
            }

            models.Add([.. bytes]);
            mappings.Add(await scratch.OpenAsync($"file{file}"));
        }

        for (int step = 0; step < 12_000; step++)
        {
            int file = random.Next(Files);

            // The same page of all files more often than not.
            int page = (step / 8 * 7) % Pages;
            if (random.Next(20) == 0)
            {
                Write(mappings[file], models[file], page, step);
            }
            else
            {
                AssertHolds(mappings[file], models[file], page);
            }

            if (random.Next(500) == 0)
            {
                await mappings[file].FlushAsync();
            }
        }

        for (int file = 0; file < Files; file++)
        {
            AssertHolds(mappings[file], models[file]);
        }

        Assert.True(scratch.Cache.GetStatistics().ReadsAvoided > 0);
        Assert.True(scratch.Cache.GetStatistics().Evictions > 0);
        await scratch.CheckAsync("done");
    }
}
