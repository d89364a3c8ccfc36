using System.Buffers;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

/// <summary>KV-13: no byte of a page is used that has not been verified since the page was read from the device.</summary>
public class ChecksumTests
{
    private const int PageSize = 4096;

    [Fact]
    public async Task A_flipped_bit_anywhere_in_any_page_is_named_by_the_check_and_never_read()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await FillAsync(path);
        byte[] good = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        Random random = new(51);
        foreach (long page in PagesInUse(good))
        {
            byte[] bad = [.. good];
            bad[(page * PageSize) + random.Next(PageSize)] ^= (byte)(1 << random.Next(8));
            await AssertNoticedAsync(path, bad, page);
        }
    }

    [Fact]
    public async Task A_page_at_another_pages_place_an_old_half_of_a_page_and_a_page_of_zeroes_are_noticed()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await FillAsync(path);
        byte[] old = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            for (int i = 0; i < 300; i++)
            {
                await store.PutAsync(TestData.Key(i), TestData.Value(i + 1000, LengthOf(i)));
            }
        }

        byte[] good = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        foreach (long page in PagesInUse(good))
        {
            int at = (int)page * PageSize;
            byte[] misplaced = [.. good];
            good.AsSpan(page == 1 ? 2 * PageSize : PageSize, PageSize).CopyTo(misplaced.AsSpan(at));
            await AssertNoticedAsync(path, misplaced, page);

            byte[] zero = [.. good];
            zero.AsSpan(at, PageSize).Clear();
            await AssertNoticedAsync(path, zero, page);

            // A torn write: one sector is of the version before.
            byte[] torn = [.. good];
            if (at + PageSize <= old.Length)
            {
                old.AsSpan(at + 512, 512).CopyTo(torn.AsSpan(at + 512));
                if (!torn.AsSpan(at, PageSize).SequenceEqual(good.AsSpan(at, PageSize)))
                {
                    await AssertNoticedAsync(path, torn, page);
                }
            }
        }
    }

    [Fact]
    public async Task A_page_that_decays_on_the_device_after_it_was_verified_is_verified_again_when_it_is_read_again()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        byte[] value = TestData.Value(1, 800);
        byte[] large = TestData.Bytes("large");
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 2 << 20 });
        for (int i = 0; i < 1000; i++)
        {
            await store.PutAsync(TestData.Key(i), value);
        }

        long leaves = store.GetStatistics().LeafPages;
        await store.PutAsync(large, TestData.Value(2, 10 << 20));
        await store.CheckpointAsync();
        Assert.Equal(0, await ReadAllAsync());

        // Pages of values have no place in the table of what was verified, so that still has every leaf when the cache has none any more.
        await store.CopyToAsync(large, Stream.Null);
        for (long page = 2; page < leaves; page += 5)
        {
            FileCopy.DamageOpenFile(path, (page * PageSize) + 2000);
        }

        await store.CopyToAsync(large, Stream.Null);
        Assert.InRange(await ReadAllAsync(), leaves / 5, leaves * 4);

        async Task<int> ReadAllAsync()
        {
            int refused = 0;
            for (int i = 0; i < 1000; i++)
            {
                try
                {
                    Assert.Equal(value, await store.GetAsync(TestData.Key(i)));
                }
                catch (CorruptStoreException exception)
                {
                    Assert.Contains("checksum", exception.Message, StringComparison.Ordinal);
                    refused++;
                }
            }

            return refused;
        }
    }

    [Fact]
    public async Task A_look_is_trusted_only_as_long_as_the_page_is_what_was_verified()
    {
        using TemporaryDirectory directory = new();
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 2 << 20 });
        Mapping mapping = await cache.OpenAsync(directory.File("pages"), cancellationToken: TestContext.Current.CancellationToken);
        PageVerifier verifier = new(mapping);
        await ChangeAsync(mapping, 3, seal: true);

        OptimisticRead look = await mapping.ReadOptimisticAsync(3, TestContext.Current.CancellationToken);
        Assert.True(verifier.TryVerify(look, 3));
        Assert.True(verifier.TryVerify(look, 3));
        await ChangeAsync(mapping, 3, seal: true);
        Assert.False(verifier.TryVerify(look, 3));
        look = await mapping.ReadOptimisticAsync(3, TestContext.Current.CancellationToken);
        Assert.True(verifier.TryVerify(look, 3));
        Assert.Throws<CorruptStoreException>(() => verifier.TryVerify(look, 4));

        await ChangeAsync(mapping, 3, seal: false);
        look = await mapping.ReadOptimisticAsync(3, TestContext.Current.CancellationToken);
        CorruptStoreException exception = Assert.Throws<CorruptStoreException>(() => verifier.TryVerify(look, 3));
        Assert.Equal(3, exception.Page);
        using (PageReadLease lease = await mapping.ReadAsync(3, TestContext.Current.CancellationToken))
        {
            Assert.Throws<CorruptStoreException>(() => verifier.VerifyTreePage(lease));
        }

        await mapping.CloseAsync(TestContext.Current.CancellationToken);
    }

    private static async Task ChangeAsync(Mapping mapping, long page, bool seal)
    {
        PageWriteLease lease = await mapping.WriteNewAsync(page, TestContext.Current.CancellationToken);
        lease.Span[100]++;
        if (seal)
        {
            lease.Seal(0, PageTrust.Bytes);
        }
        else
        {
            // As if the page had come from the device like this.
            lease.PrivateWord = 0;
            lease.MarkDirty();
        }

        lease.Dispose();
    }

    /// <summary>What free pages hold means nothing.</summary>
    private static IEnumerable<long> PagesInUse(byte[] file)
    {
        for (int page = 1; page < file.Length / PageSize; page++)
        {
            if (MapPage.IsUsed(file.AsSpan((int)MapLayout.FirstMapPage * PageSize, PageSize), page))
            {
                yield return page;
            }
        }
    }

    private static int LengthOf(int i) => i % 30 == 29 ? 9000 : 60 + i;

    private static async Task FillAsync(string path)
    {
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 2 << 20 });
        for (int i = 0; i < 320; i++)
        {
            await store.PutAsync(TestData.Key(i), TestData.Value(i, LengthOf(i)));
        }

        // Some pages are free, former tree pages and former pieces of values.
        for (int i = 300; i < 320; i++)
        {
            await store.DeleteAsync(TestData.Key(i));
        }
    }

    /// <summary>Asserts that the check names the page, and that whatever is read is right or refused as corrupt.</summary>
    private static async Task AssertNoticedAsync(string path, byte[] bytes, long page)
    {
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = true, CacheSize = 2 << 20 });
        ArrayBufferWriter<byte> value = new();
        for (int i = 0; i < 300; i += 7)
        {
            value.ResetWrittenCount();
            try
            {
                bool found = i % 2 == 0 ? store.TryGet(TestData.Key(i), value) : await store.TryGetAsync(TestData.Key(i), value);
                Assert.True(found);
                Assert.True(IsRight(value.WrittenSpan, i), $"damage to page {page} gives a wrong value");
            }
            catch (CorruptStoreException exception)
            {
                Assert.Equal(page, exception.Page);
            }
        }

        CheckReport report = await store.CheckAsync();
        Assert.Contains(report.Problems, problem => problem.Page == page && problem.Message.Contains("checksum", StringComparison.Ordinal));
    }

    private static bool IsRight(ReadOnlySpan<byte> value, int i) =>
        value.SequenceEqual(TestData.Value(i, LengthOf(i))) || value.SequenceEqual(TestData.Value(i + 1000, LengthOf(i)));
}
