using StorageCache.IO;
using StorageCache.KeyValueStore.Commits;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Space;
using StorageCache.KeyValueStore.Tests.Logging;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class CommitterTests
{
    /// <summary>
    /// A commit may change what lies below a branch and leave the branch as it was, as by splitting its child and merging it again: who
    /// looked at the branch before must not go on from there (KV-5).
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_branch_that_ends_as_it_began_is_latched_with_the_pages_below_it_and_keeps_its_bytes(bool editsBranch)
    {
        using TemporaryDirectory directory = new();
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(directory.File()))
        {
            for (int i = 0; i < 500; i++)
            {
                await store.PutAsync(TestData.Key(i), TestData.Value(i, 100));
            }
        }

        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20 });
        await using Mapping mapping = await cache.OpenAsync(directory.File());
        await using WriteAheadLog log = await LogBench.StartAsync(new MemoryBlockDevice("log"));
        PageLimits limits = new(mapping.PageSize);
        PageAllocator allocator = new(limits, new ActiveReads());
        allocator.Restore(mapping.PageCount);
        ChangeSet changes = new(mapping, allocator, new PageVerifier(mapping), new PageImages(mapping.PageSize), new TreeCounts(2, 500, 1, 1, 0, 0, 0));
        ChangedPage branch = await FindAsync(changes, mapping, level: 1);
        ChangedPage leaf = await FindAsync(changes, mapping, level: 0);
        if (editsBranch)
        {
            changes.Edit(branch);
        }

        changes.Edit(leaf)[^1] ^= 1;
        byte[] before = [.. branch.Before!];
        Assert.True(mapping.TryReadOptimistic(branch.Page, out OptimisticRead look));
        Assert.NotEqual(0UL, await new Committer(mapping, log, allocator, limits, imageEpoch: 0).CommitAsync(changes, TestContext.Current.CancellationToken));

        Assert.Equal(!editsBranch, look.Validate());
        using PageReadLease lease = mapping.Read(branch.Page);
        Assert.Equal(before, lease.Span);
    }

    private static async Task<ChangedPage> FindAsync(ChangeSet changes, Mapping mapping, int level)
    {
        for (long page = 1; page < mapping.PageCount; page++)
        {
            try
            {
                ChangedPage found = await changes.LoadTreePageAsync(page, TestContext.Current.CancellationToken);
                if (found.Level == level)
                {
                    return found;
                }
            }
            catch (CorruptStoreException)
            {
                // A map page.
            }
        }

        throw new InvalidOperationException($"The store has no page of level {level}.");
    }
}
