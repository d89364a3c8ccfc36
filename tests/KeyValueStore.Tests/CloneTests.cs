using System.Buffers.Binary;
using StorageCache.KeyValueStore.Tests.Mounted;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

/// <remarks>KV-11, KV-14.</remarks>
public class CloneTests
{
    private const int Keys = 600;

    public static TheoryData<string> Disks => [CloneDisk.Xfs, CloneDisk.Btrfs, CloneDisk.Tmpfs];

    [Fact]
    public async Task A_clone_that_fails_and_cannot_be_taken_away_is_not_left_open()
    {
        using TemporaryDirectory directory = new();
        string copy = directory.File("copy");
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20 });
        await using KeyValueStore source = await KeyValueStore.OpenAsync(
            cache, directory.File(), new KeyValueStoreOptions { Files = new UndeletableFiles(copy) });
        await source.PutAsync(TestData.Key(1), TestData.Value(1, 100));
        IOException exception = await Assert.ThrowsAsync<IOException>(async () => await source.CloneAsync(copy));
        Assert.Equal("Read-only.", exception.Message);
        await using PageCache other = new(new PageCacheOptions { MemoryLimit = 8 << 20 });
        await using Mapping unlocked = await other.OpenAsync(copy);
        Assert.Null(await source.GetAsync(TestData.Key(2)));
    }

    /// <summary>
    /// A copy that begins as a store that was closed is taken for one, whatever the rest is. (Seen from outside, as a process that ends half way leaves it.)
    /// </summary>
    [Fact]
    public async Task A_copy_begins_as_a_store_when_the_rest_of_it_is_there()
    {
        using MountedFileSystem disk = MountedFileSystem.Loop("ext4", 160L << 20);
        string path = disk.File("source");
        string copy = disk.File("copy");
        await using (KeyValueStore made = await KeyValueStore.OpenAsync(path))
        {
            await made.PutAsync(TestData.Key(1), TestData.Value(1, 24 << 20));
        }

        byte[] expected = await File.ReadAllBytesAsync(path);
        await using KeyValueStore source = await KeyValueStore.OpenAsync(path);
        Task<KeyValueStoreClone> cloning = Task.Run(() => source.CloneAsync(copy).AsTask());
        using TemporaryDirectory directory = new();
        while (true)
        {
            bool isDone = cloning.IsCompleted;
            if (File.Exists(copy))
            {
                // From its start to its end.
                FileCopy.OfOpenFile(copy, directory.File());
                byte[] found = await File.ReadAllBytesAsync(directory.File());
                if (found.AsSpan(0, Math.Min(found.Length, source.PageSize)).ContainsAnyExcept((byte)0))
                {
                    Assert.Equal(expected.Length, found.Length);
                    Assert.Equal(expected.AsSpan(source.PageSize), found.AsSpan(source.PageSize));
                    break;
                }
            }

            if (isDone)
            {
                await cloning;
                Assert.Fail("The copy is done, and does not begin as a store.");
            }
        }

        KeyValueStoreClone clone = await cloning;
        Assert.False(clone.IsReflink);
        await clone.Store.CloseAsync();
    }

    [Theory]
    [MemberData(nameof(Disks))]
    public async Task A_clone_is_a_whole_store_of_its_own_and_so_is_a_clone_of_it(string type)
    {
        using MountedFileSystem disk = CloneDisk.Mount(type);
        await using (PageCache cache = new(new PageCacheOptions { MemoryLimit = 32 << 20 }))
        {
            await using KeyValueStore source = await KeyValueStore.OpenAsync(cache, disk.File("source"));
            await FillAsync(source, seed: 0);
            KeyValueStoreClone made = await source.CloneAsync(disk.File("clone"));
            await using KeyValueStore clone = made.Store;
            Assert.Equal(CloneDisk.HasReflinks(type), made.IsReflink);
            Assert.Equal(CloneDisk.HasReflinks(type), made.WhyNot is null);
            Assert.Same(cache, clone.Cache);
            await AssertHoldsAsync(clone, seed: 0);
            await clone.AssertSoundAsync();
            if (made.IsReflink)
            {
                Assert.NotEqual(0, cache.GetStatistics().SharedFrames);
            }

            await FillAsync(clone, seed: 1000);
            KeyValueStoreClone second = await clone.CloneAsync(disk.File("second"));
            await using KeyValueStore cloneOfClone = second.Store;
            Assert.Equal(made.IsReflink, second.IsReflink);
            await FillAsync(source, seed: 2000);
            await FillAsync(cloneOfClone, seed: 3000);
            await AssertAllAsync(source, clone, cloneOfClone);
        }

        await using KeyValueStore reopened = await KeyValueStore.OpenAsync(disk.File("source"));
        await using KeyValueStore reopenedClone = await KeyValueStore.OpenAsync(disk.File("clone"));
        await using KeyValueStore reopenedSecond = await KeyValueStore.OpenAsync(disk.File("second"));
        await AssertAllAsync(reopened, reopenedClone, reopenedSecond);

        static async Task AssertAllAsync(KeyValueStore source, KeyValueStore clone, KeyValueStore second)
        {
            await AssertHoldsAsync(source, seed: 2000);
            await AssertHoldsAsync(clone, seed: 1000);
            await AssertHoldsAsync(second, seed: 3000);
            await source.AssertSoundAsync();
            await clone.AssertSoundAsync();
            await second.AssertSoundAsync();
        }
    }

    [Theory]
    [MemberData(nameof(Disks))]
    public async Task A_clone_made_beside_writers_holds_what_was_put_before_and_nothing_that_was_begun_after(string type)
    {
        const int Writers = 3;
        const int Clones = 5;
        using MountedFileSystem disk = CloneDisk.Mount(type);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 16 << 20 });
        await using KeyValueStore source = await KeyValueStore.OpenAsync(cache, disk.File("source"));
        long[] begun = new long[Writers];
        long[] done = new long[Writers];
        using CancellationTokenSource stop = new();
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(writer)))];
        try
        {
            for (int i = 0; i < Clones; i++)
            {
                // Let each of them come on in between.
                long[] seen = [.. done];
                StorageCache.Tests.Harness.Wait.Until(
                    () => writers.Any(writer => writer.IsCompleted) || Enumerable.Range(0, Writers).All(writer => Volatile.Read(ref done[writer]) > seen[writer] + 2), "the writers");
                long[] least = [.. Enumerable.Range(0, Writers).Select(writer => Volatile.Read(ref done[writer]))];
                KeyValueStoreClone made = await source.CloneAsync(disk.File($"clone-{i}"));
                long[] most = [.. Enumerable.Range(0, Writers).Select(writer => Volatile.Read(ref begun[writer]))];
                await using KeyValueStore clone = made.Store;
                await clone.AssertSoundAsync();
                for (int writer = 0; writer < Writers; writer++)
                {
                    long first = await ReadAsync(clone, writer, 0);
                    long second = await ReadAsync(clone, writer, 1);
                    Assert.InRange(first, least[writer], most[writer]);

                    // Each writer puts its first key before its second: the clone is of one moment.
                    Assert.InRange(second, first - 1, first);
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(writers);
        }

        async Task WriteAsync(int writer)
        {
            for (long number = 1; !stop.IsCancellationRequested; number++)
            {
                Volatile.Write(ref begun[writer], number);
                for (int key = 0; key < 2; key++)
                {
                    byte[] value = TestData.Value((int)number, 200 + (int)(number % 7 * 3000));
                    BinaryPrimitives.WriteInt64LittleEndian(value, number);
                    await source.PutAsync(TestData.Key((writer * 2) + key), value);
                }

                Volatile.Write(ref done[writer], number);
            }
        }

        static async Task<long> ReadAsync(KeyValueStore store, int writer, int key)
        {
            byte[]? value = await store.GetAsync(TestData.Key((writer * 2) + key));
            long number = value is null ? 0 : BinaryPrimitives.ReadInt64LittleEndian(value);
            byte[] expected = TestData.Value((int)number, 200 + (int)(number % 7 * 3000));
            Assert.Equal(expected.AsSpan(8), value.AsSpan(8));
            return number;
        }
    }

    [Fact]
    public async Task A_clone_is_durable_on_return()
    {
        using MountedFileSystem disk = CloneDisk.Mount(CloneDisk.Xfs);
        PageCache cache = new(new PageCacheOptions { MemoryLimit = 32 << 20 });
        KeyValueStore source = await KeyValueStore.OpenAsync(cache, disk.File("source"));
        await FillAsync(source, seed: 0);
        KeyValueStoreClone made = await source.CloneAsync(disk.File("clone"));
        Assert.True(made.IsReflink, made.WhyNot);

        // From here on nothing comes to the disk any more, not even what the file system has in its log.
        Assert.Null(MountedFileSystem.TryRun("xfs_io", "-x", "-c", "shutdown", disk.Path));
        await AbandonAsync(source);
        await AbandonAsync(made.Store);
        await AbandonAsync(cache);
        disk.Remount();
        await using KeyValueStore clone = await KeyValueStore.OpenAsync(disk.File("clone"), new KeyValueStoreOptions { Mode = MappingMode.Open });
        await AssertHoldsAsync(clone, seed: 0);
        await clone.AssertSoundAsync();

        static async Task AbandonAsync(IAsyncDisposable disposable)
        {
            try
            {
                await disposable.DisposeAsync();
            }
            catch (Exception exception) when (exception is IOException or AggregateException)
            {
                // The file system is gone.
            }
        }
    }

    [Fact]
    public async Task A_clone_outlives_the_store_whose_own_cache_it_is_in()
    {
        using TemporaryDirectory directory = new();
        KeyValueStore source = await KeyValueStore.OpenAsync(directory.File());
        await FillAsync(source, seed: 0);
        KeyValueStore clone = (await source.CloneAsync(directory.File("clone"))).Store;
        PageCache cache = clone.Cache;
        await source.CloseAsync();
        await FillAsync(clone, seed: 1000);
        await AssertHoldsAsync(clone, seed: 1000);
        await clone.CloseAsync();
        await Assert.ThrowsAsync<CacheDisposedException>(async () => await cache.OpenAsync(directory.File()));
    }

    [Fact]
    public async Task A_store_that_is_only_read_has_clones_that_can_be_written()
    {
        using TemporaryDirectory directory = new();
        await using (KeyValueStore made = await KeyValueStore.OpenAsync(directory.File()))
        {
            await FillAsync(made, seed: 0);
        }

        byte[] before = await File.ReadAllBytesAsync(directory.File(), TestContext.Current.CancellationToken);
        await using (KeyValueStore source = await KeyValueStore.OpenAsync(directory.File(), new KeyValueStoreOptions { ReadOnly = true }))
        {
            await using KeyValueStore clone = (await source.CloneAsync(directory.File("clone"))).Store;
            Assert.False(clone.IsReadOnly);
            await FillAsync(clone, seed: 1000);
            await AssertHoldsAsync(source, seed: 0);
        }

        Assert.Equal(before, await File.ReadAllBytesAsync(directory.File(), TestContext.Current.CancellationToken));
    }

    /// <remarks>What is in the place of a clone's log may be anybody's: a store may have that name.</remarks>
    [Fact]
    public async Task A_file_in_the_place_of_a_clones_log_is_left_as_it_is_and_there_is_no_clone()
    {
        using TemporaryDirectory directory = new();
        string other = directory.File("clone.log");
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(other))
        {
            await store.PutAsync(TestData.Key(1), TestData.Value(1, 100));
        }

        byte[] before = await File.ReadAllBytesAsync(other);
        await using KeyValueStore source = await KeyValueStore.OpenAsync(directory.File());
        await source.PutAsync(TestData.Key(2), TestData.Value(2, 100));
        await Assert.ThrowsAsync<StoreFormatException>(async () => await source.CloneAsync(directory.File("clone")));
        Assert.Equal(before, await File.ReadAllBytesAsync(other));
        Assert.False(File.Exists(directory.File("clone")));
        await using (KeyValueStore open = await KeyValueStore.OpenAsync(other))
        {
            await Assert.ThrowsAsync<MappingLockedException>(async () => await source.CloneAsync(directory.File("clone")));
            Assert.Equal(1, open.Count);
        }

        Assert.True(File.Exists(other));
        Assert.False(File.Exists(directory.File("clone")));
        await source.AssertSoundAsync();
    }

    [Fact]
    public async Task What_cannot_be_cloned_leaves_nothing_behind_and_the_store_as_it_was()
    {
        using TemporaryDirectory directory = new();
        using MountedFileSystem small = MountedFileSystem.Tmpfs(64 << 10);
        KeyValueStore source = await KeyValueStore.OpenAsync(directory.File());
        await FillAsync(source, seed: 0);
        string taken = directory.File("taken");
        await File.WriteAllTextAsync(taken, "mine", TestContext.Current.CancellationToken);

        await Assert.ThrowsAnyAsync<IOException>(async () => await source.CloneAsync(taken));
        await Assert.ThrowsAnyAsync<IOException>(async () => await source.CloneAsync(source.Path));
        await Assert.ThrowsAsync<DirectoryNotFoundException>(async () => await source.CloneAsync(directory.File("no/clone")));
        await Assert.ThrowsAnyAsync<IOException>(async () => await source.CloneAsync(small.File("clone")));
        await Assert.ThrowsAsync<ArgumentException>(async () => await source.CloneAsync(""));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await source.CloneAsync(directory.File("cancelled"), new CancellationToken(canceled: true)));

        Assert.Equal("mine", await File.ReadAllTextAsync(taken, TestContext.Current.CancellationToken));
        Assert.Equal(["taken", "test.kv", "test.kv.log"], Directory.EnumerateFileSystemEntries(directory.Path).Select(Path.GetFileName).Order());
        Assert.Empty(Directory.EnumerateFileSystemEntries(small.Path));
        await FillAsync(source, seed: 1000);
        await AssertHoldsAsync(source, seed: 1000);
        await source.AssertSoundAsync();
        await source.CloseAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await source.CloneAsync(directory.File("closed")));
    }

    private static int LengthOf(int key) => key % 10 == 0 ? 9000 + key : 20 + key;

    private static async Task FillAsync(KeyValueStore store, int seed)
    {
        for (int key = 0; key < Keys; key++)
        {
            await store.PutAsync(TestData.Key(key), TestData.Value(seed + key, LengthOf(key)));
        }
    }

    private static async Task AssertHoldsAsync(KeyValueStore store, int seed)
    {
        Assert.Equal(Keys, store.Count);
        for (int key = 0; key < Keys; key++)
        {
            Assert.Equal(TestData.Value(seed + key, LengthOf(key)), await store.GetAsync(TestData.Key(key)));
        }
    }
}
