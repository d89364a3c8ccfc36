using System.Buffers.Binary;
using System.IO.Hashing;
using StorageCache.KeyValueStore.Format;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class CutOffTests
{
    [Fact]
    public async Task A_store_that_was_not_closed_recovers_from_its_log_and_without_it_is_refused()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string alone = directory.File("alone.kv");
        string copied = directory.File("copied.kv");
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 2 << 20 }))
        {
            await FillAsync(store, 1000);
            FileCopy.OfOpenStore(path, copied);
            FileCopy.OfOpenFile(path, alone);
        }

        StoreNotCleanException exception = await Assert.ThrowsAsync<StoreNotCleanException>(async () => await KeyValueStore.OpenAsync(alone));
        Assert.Equal(alone, exception.Path);
        Assert.False(exception.CanRecover);
        exception = await Assert.ThrowsAsync<StoreNotCleanException>(async () =>
            await KeyValueStore.OpenAsync(copied, new KeyValueStoreOptions { ReadOnly = true }));
        Assert.True(exception.CanRecover);
        await using (KeyValueStore copy = await KeyValueStore.OpenAsync(copied))
        {
            Assert.True(copy.Recovery.WasNeeded);
            Assert.Equal(1000, copy.Recovery.Commits);
            Assert.Equal(1000, copy.Count);
            for (int i = 0; i < 1000; i++)
            {
                Assert.Equal(ValueOf(i), await copy.GetAsync(TestData.Key(i)));
            }

            await copy.AssertSoundAsync();
        }

        await using KeyValueStore again = await KeyValueStore.OpenAsync(copied);
        Assert.False(again.Recovery.WasNeeded);
        Assert.Equal(1000, again.Count);
    }

    [Fact]
    public async Task A_store_that_was_closed_can_be_opened_without_its_log()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 1000);
        File.Delete(path + ".log");
        await using (KeyValueStore reader = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = true }))
        {
            Assert.Equal(1000, reader.Count);
        }

        Assert.False(File.Exists(path + ".log"));
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            Assert.Equal(1000, store.Count);
            await store.PutAsync(TestData.Key(5000), TestData.Value(1, 10));
        }

        await using KeyValueStore again = await KeyValueStore.OpenAsync(path);
        Assert.Equal(1001, again.Count);
        await again.AssertSoundAsync();
    }

    [Fact]
    public async Task A_store_in_which_only_missing_keys_were_deleted_stays_clean_on_the_device()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string copied = directory.File("copied.kv");
        await CreateAsync(path, 1000);
        byte[] before = await File.ReadAllBytesAsync(path);
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        Assert.False(await store.DeleteAsync(TestData.Key(1000)));
        Assert.False(await store.DeleteAsync(Array.Empty<byte>()));
        Assert.Equal(before, await CopyAsync());
        await using (KeyValueStore copy = await KeyValueStore.OpenAsync(copied))
        {
            Assert.Equal(1000, copy.Count);
            await copy.AssertSoundAsync();
        }

        File.Delete(copied + ".log");
        Assert.True(await store.DeleteAsync(TestData.Key(1)));
        Assert.False(await store.DeleteAsync(TestData.Key(1)));
        await CopyAsync();
        await Assert.ThrowsAsync<StoreNotCleanException>(async () => await KeyValueStore.OpenAsync(copied));

        async Task<byte[]> CopyAsync()
        {
            FileCopy.OfOpenFile(path, copied);
            return await File.ReadAllBytesAsync(copied);
        }
    }

    [Fact]
    public async Task A_source_that_has_not_said_anything_yet_leaves_the_file_clean()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string copy = directory.File("copy.kv");
        await CreateAsync(path, 10);
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            using StalledStream source = new(stallAt: 0);
            Task put = store.PutAsync(TestData.Key(99), source).AsTask();
            await source.Reached;
            FileCopy.OfOpenFile(path, copy);
            source.Release();
            await put;
        }

        await using KeyValueStore copied = await KeyValueStore.OpenAsync(copy);
        Assert.Equal(10, copied.Count);
        await copied.AssertSoundAsync();
    }

    [Fact]
    public async Task A_source_that_fails_at_once_or_is_given_up_leaves_the_file_as_it_was()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string copy = directory.File("copy.kv");
        await CreateAsync(path, 10);
        byte[] before = await File.ReadAllBytesAsync(path);
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        await Assert.ThrowsAsync<IOException>(async () => await store.PutAsync(TestData.Key(1), new FailingStream(50_000)));
        FileCopy.OfOpenFile(path, copy);
        Assert.Equal(before, await File.ReadAllBytesAsync(copy));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await store.PutAsync(TestData.Key(1), new MemoryStream(new byte[200_000]), new CancellationToken(canceled: true)));
        FileCopy.OfOpenFile(path, copy);
        Assert.Equal(before, await File.ReadAllBytesAsync(copy));
    }

    [Fact]
    public async Task A_put_that_gets_no_memory_for_a_new_page_leaves_a_file_of_the_right_length()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        long memory = KeyValueStoreOptions.LeastCacheSize(KeyValueStoreOptions.DefaultPageSize);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = memory, FrameTimeout = TimeSpan.FromMilliseconds(20) });
        Mapping other = await cache.OpenAsync(directory.File("other"));
        List<PageWriteLease> taken = [];
        KeyValueStore store = await KeyValueStore.OpenAsync(cache, path);
        for (int i = 0; await TryAsync(() => store.PutAsync(TestData.Key(i), TestData.Value(i, 9000)).AsTask()); i++)
        {
            await TryAsync(async () =>
            {
                for (int lease = 0; lease < 16; lease++)
                {
                    taken.Add(await other.WriteNewAsync(taken.Count));
                }
            });
        }

        foreach (PageWriteLease lease in taken)
        {
            PageWriteLease held = lease;
            held.Dispose();
        }

        // Clean pages give their frames up at once, however short the patience and slow the machine.
        await other.FlushAsync();
        await store.CloseAsync();
        store = await KeyValueStore.OpenAsync(cache, path);
        await store.AssertSoundAsync();
        Assert.Equal(store.GetStatistics().PageCount * store.PageSize, new FileInfo(path).Length);
        await store.CloseAsync();
        await other.CloseAsync();

        static async Task<bool> TryAsync(Func<Task> action)
        {
            try
            {
                await action();
                return true;
            }
            catch (CacheFullException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task A_truncated_file_is_refused_wherever_it_was_cut()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 500);

        long length = new FileInfo(path).Length;
        string cut = directory.File("cut.kv");
        foreach (long at in new[] { 1L, 127, 128, 4095, 4096, 8192, length / 2, length - 4096, length - 1 })
        {
            File.Copy(path, cut, overwrite: true);
            using (FileStream file = new(cut, FileMode.Open))
            {
                file.SetLength(at);
            }

            await Assert.ThrowsAnyAsync<KeyValueStoreException>(async () => await KeyValueStore.OpenAsync(cut));
            Assert.Equal(at, new FileInfo(cut).Length);
        }

        File.Copy(path, cut, overwrite: true);
        using (FileStream file = new(cut, FileMode.Append))
        {
            file.Write(new byte[4096]);
        }

        await Assert.ThrowsAsync<CorruptStoreException>(async () => await KeyValueStore.OpenAsync(cut));
    }

    [Fact]
    public async Task Every_flipped_bit_of_the_meta_page_is_noticed()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 10);

        byte[] good = await File.ReadAllBytesAsync(path);
        for (int i = 0; i < 128; i++)
        {
            byte[] bad = [.. good];
            bad[i] ^= (byte)(1 << (i % 8));
            await File.WriteAllBytesAsync(path, bad);
            await Assert.ThrowsAnyAsync<KeyValueStoreException>(async () =>
                await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 2 << 20 }));
        }

        await File.WriteAllBytesAsync(path, good);
        await using KeyValueStore again = await KeyValueStore.OpenAsync(path);
        await again.AssertSoundAsync();
    }

    [Fact]
    public async Task Each_reason_for_refusal_has_its_own_exception()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 10);

        byte[] good = await File.ReadAllBytesAsync(path);
        await RefusesAsync<CorruptStoreException>(16, 7, "state is 7");
        await RefusesAsync<StoreFormatException>(8, 2, "version is 2; this code reads version 3 only");
        await RefusesAsync<StoreFormatException>(8, 4, "version is 4");
        await RefusesAsync<CorruptStoreException>(72, -1, "contradict");
        await RefusesAsync<CorruptStoreException>(80, 3, "contradict");
        await RefusesAsync<StoreFormatException>(24, 7, "another store's");
        File.Delete(path + ".log");
        await RefusesAsync<StoreNotCleanException>(16, 2, "its log is missing");

        await File.WriteAllBytesAsync(path, good);
        StoreFormatException other = await Assert.ThrowsAsync<StoreFormatException>(async () =>
            await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { PageSize = 8192 }));
        Assert.Contains("4096 bytes, the cache's have 8192", other.Message, StringComparison.Ordinal);

        async Task RefusesAsync<T>(int offset, int number, string reason)
            where T : KeyValueStoreException
        {
            byte[] bad = [.. good];
            BinaryPrimitives.WriteInt32LittleEndian(bad.AsSpan(offset), number);
            if (offset >= 72)
            {
                BinaryPrimitives.WriteInt64LittleEndian(bad.AsSpan(offset), number);
            }

            BinaryPrimitives.WriteUInt64LittleEndian(bad.AsSpan(120), XxHash3.HashToUInt64(bad.AsSpan(0, 120)));
            await File.WriteAllBytesAsync(path, bad);
            T exception = await Assert.ThrowsAsync<T>(async () => await KeyValueStore.OpenAsync(path));
            Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
            Assert.Equal(bad, await File.ReadAllBytesAsync(path));
        }
    }

    [Theory]
    [InlineData(56, 1L << 52)]
    [InlineData(80, long.MaxValue)]
    [InlineData(88, long.MaxValue)]
    [InlineData(96, 1L << 62)]
    public async Task Numbers_of_the_meta_page_that_add_up_only_by_overflowing_are_refused(int offset, long added)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 10);
        byte[] bytes = await File.ReadAllBytesAsync(path);
        long number = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(offset));
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(offset), unchecked(number + added));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(120), XxHash3.HashToUInt64(bytes.AsSpan(0, 120)));
        await File.WriteAllBytesAsync(path, bytes);
        await Assert.ThrowsAsync<CorruptStoreException>(async () => await KeyValueStore.OpenAsync(path));
    }

    [Fact]
    public async Task A_check_of_a_file_with_more_pages_than_an_array_has_elements_reports_what_is_wrong()
    {
        // 2^31 + 2 pages of 4 KiB, nearly all of them holes: also the map pages.
        const long Pages = (1L << 31) + 2;
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 1);
        using (FileStream file = new(path, FileMode.Open))
        {
            byte[] meta = new byte[128];
            file.ReadExactly(meta);
            BinaryPrimitives.WriteInt64LittleEndian(meta.AsSpan(56), Pages);
            BinaryPrimitives.WriteUInt64LittleEndian(meta.AsSpan(120), XxHash3.HashToUInt64(meta.AsSpan(0, 120)));
            file.Position = 0;
            file.Write(meta);
            file.SetLength(Pages * 4096);
        }

        await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = true });
        Assert.NotNull(await store.GetAsync(TestData.Key(0)));
        CheckReport report = await store.CheckAsync();
        Assert.Equal(1, report.Entries);
        Assert.Equal(CheckReport.MaximumProblems, report.Problems.Count);

        // None but the first map page has a checksum, and the number of free pages is not known.
        MapLayout layout = new(4096);
        Assert.Equal(layout.GroupCount(Pages) - 1 + 1, report.ProblemCount);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(3, false)]
    [InlineData(100, false)]
    [InlineData(5000, false)]
    [InlineData(40_960, false)]
    public async Task A_foreign_file_is_refused_and_left_as_it_was(int length, bool readOnly)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("foreign");
        byte[] content = TestData.Value(length, length);
        await File.WriteAllBytesAsync(path, content);
        DateTime written = File.GetLastWriteTimeUtc(path);

        await Assert.ThrowsAsync<StoreFormatException>(async () =>
            await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = readOnly }));

        Assert.Equal(content, await File.ReadAllBytesAsync(path));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
    }

    [Fact]
    public async Task A_second_store_on_the_same_file_is_refused_and_the_first_goes_on()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20 });
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(cache, path))
        {
            await FillAsync(store, 10);
            StoreInUseException refusal = await Assert.ThrowsAsync<StoreInUseException>(async () => await KeyValueStore.OpenAsync(cache, path));
            Assert.IsType<MappingInUseException>(refusal.InnerException);
            await Assert.ThrowsAsync<MappingLockedException>(async () => await KeyValueStore.OpenAsync(path));
            Assert.Equal(ValueOf(3), await store.GetAsync(TestData.Key(3)));
        }

        await using KeyValueStore again = await KeyValueStore.OpenAsync(cache, path);
        Assert.Equal(10, again.Count);
    }

    [Fact]
    public async Task A_store_whose_file_somebody_has_open_in_the_cache_is_refused()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 10);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20 });
        await using (Mapping mapping = await cache.OpenAsync(path, new MappingOptions { ReadOnly = true }))
        {
            await Assert.ThrowsAsync<StoreInUseException>(async () => await KeyValueStore.OpenAsync(cache, path));
            await Assert.ThrowsAsync<StoreInUseException>(async () => await KeyValueStore.OpenAsync(cache, path, new KeyValueStoreOptions { ReadOnly = true }));
        }

        await using KeyValueStore store = await KeyValueStore.OpenAsync(cache, path);
        Assert.Equal(10, store.Count);
    }

    [Fact]
    public async Task Damage_is_reported_by_the_check_with_its_page_and_never_crashes_a_reader()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, 400);

        byte[] good = await File.ReadAllBytesAsync(path);
        int pages = good.Length / 4096;
        Random random = new(17);
        for (int round = 0; round < 30; round++)
        {
            byte[] bad = [.. good];
            int page = random.Next(1, pages);
            if (round % 2 == 0)
            {
                random.NextBytes(bad.AsSpan(page * 4096, 4096));
            }
            else
            {
                bad[(page * 4096) + random.Next(48)] ^= (byte)(1 << random.Next(8));
            }

            await File.WriteAllBytesAsync(path, bad);
            await using KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = true, CacheSize = 4 << 20 });
            CheckReport report = await store.CheckAsync();
            Assert.False(report.IsSound, $"round {round}: damage to page {page} was not noticed");
            Assert.All(report.Problems, problem => Assert.InRange(problem.Page, 0, pages - 1));

            for (int i = 0; i < 400; i += 7)
            {
                try
                {
                    await store.GetAsync(TestData.Key(i));
                }
                catch (CorruptStoreException)
                {
                }
            }

            try
            {
                await store.ScanAsync(new ScanOptions { Reverse = round % 4 == 0 }).ToListAsync();
            }
            catch (CorruptStoreException)
            {
            }
        }
    }

    private static async Task CreateAsync(string path, int count)
    {
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        await FillAsync(store, count);
    }

    private static async Task FillAsync(KeyValueStore store, int count)
    {
        for (int i = 0; i < count; i++)
        {
            await store.PutAsync(TestData.Key(i), ValueOf(i));
        }
    }

    private static byte[] ValueOf(int i) => TestData.Value(i, i % 40 == 39 ? 12_000 : 100 + (i % 100));
}
