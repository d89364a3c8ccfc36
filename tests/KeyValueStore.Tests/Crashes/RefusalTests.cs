using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Logging;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Crashes;

/// <summary>Stores that were not closed, and of whose two files one is not what it was.</summary>
public class RefusalTests
{
    private const int Keys = 800;

    /// <summary>Where the log's first slot has its data.</summary>
    private const int LogData = 8192;

    private static readonly DateTime s_longAgo = new(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);

    public static TheoryData<string> Harms => [.. s_harms.Keys];

    private static readonly Dictionary<string, Action<string, string>> s_harms = new()
    {
        ["no log"] = static (path, _) => File.Delete(path + ".log"),
        ["an empty log"] = static (path, _) => File.WriteAllBytes(path + ".log", []),
        ["a foreign file for a log"] = static (path, _) => File.WriteAllBytes(path + ".log", TestData.Value(1, 100_000)),
        ["a short foreign file for a log"] = static (path, _) => File.WriteAllText(path + ".log", "Not a log."),
        ["the log of another store"] = static (path, other) => File.Copy(other + ".log", path + ".log", overwrite: true),
        ["a log with a damaged header"] = static (path, _) => Flip(path + ".log", 20),
        ["a log with a damaged segment"] = static (path, _) => Flip(path + ".log", 4096 + 10),
        ["a log with a damaged record"] = static (path, _) => Flip(path + ".log", LogData + 5000),
        ["a log that was cut off"] = static (path, _) => Cut(path + ".log", LogData + 8192),
        ["a foreign file that begins with zeros for a log"] = static (path, _) => File.WriteAllBytes(path + ".log", TestData.BeginningWithZeros(4096, 100_000)),
        ["pages that were cut off"] = static (path, _) => Cut(path, 2 * 4096),
        ["a foreign file"] = static (path, _) => File.WriteAllBytes(path, TestData.Value(2, 100_000)),
        ["a short foreign file"] = static (path, _) => File.WriteAllText(path, "Not a store."),
        ["a damaged meta page"] = static (path, _) => Flip(path, 45),
        ["a meta page of another version"] = static (path, _) => Flip(path, MetaPage.Magic.Length),
        ["the pages of another store"] = static (path, other) => File.Copy(other, path, overwrite: true),
        ["a log for pages"] = static (path, _) => File.Copy(path + ".log", path, overwrite: true),
        ["pages for a log"] = static (path, _) => File.Copy(path, path + ".log", overwrite: true),
    };

    [Theory]
    [MemberData(nameof(Harms))]
    public async Task What_is_not_the_store_it_was_is_refused_and_not_touched(string harm)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("store.kv");
        string other = directory.File("other.kv");
        await MakeUnclosedAsync(directory, path, seed: 1);
        await MakeUnclosedAsync(directory, other, seed: 2);
        s_harms[harm](path, other);
        foreach (string file in Directory.GetFiles(directory.Path))
        {
            File.SetLastWriteTimeUtc(file, s_longAgo);
        }

        byte[] pages = await File.ReadAllBytesAsync(path);
        byte[]? log = File.Exists(path + ".log") ? await File.ReadAllBytesAsync(path + ".log") : null;
        string[] files = [.. Directory.GetFiles(directory.Path).Order()];
        foreach (MappingMode mode in (MappingMode[])[MappingMode.Open, MappingMode.OpenOrCreate])
        {
            foreach (bool readOnly in (bool[])[false, true])
            {
                KeyValueStoreException exception = await Assert.ThrowsAnyAsync<KeyValueStoreException>(
                    async () => await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { Mode = mode, ReadOnly = readOnly }));
                Assert.Equal(path, exception.Path);
            }
        }

        Assert.Equal(files, Directory.GetFiles(directory.Path).Order());
        Assert.Equal(pages, await File.ReadAllBytesAsync(path));
        if (log is not null)
        {
            Assert.Equal(log, await File.ReadAllBytesAsync(path + ".log"));
        }

        Assert.All(files, static file => Assert.Equal(s_longAgo, File.GetLastWriteTimeUtc(file)));
    }

    /// <remarks>LOG-1. Of a log whose making was cut off there are zeros, and nothing else.</remarks>
    [Theory]
    [InlineData(512, 100_000)]
    [InlineData(4096, 100_000)]
    [InlineData(2 << 20, (2 << 20) + 1)]
    public async Task A_file_that_begins_with_zeros_in_the_place_of_a_new_log_is_left_as_it_is(int zeros, int length)
    {
        using TemporaryDirectory directory = new();
        byte[] foreign = TestData.BeginningWithZeros(zeros, length);
        string path = directory.File();
        await File.WriteAllBytesAsync(path + ".log", foreign, TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<StoreFormatException>(async () => await KeyValueStore.OpenAsync(path));
        Assert.Equal(foreign, await File.ReadAllBytesAsync(path + ".log", TestContext.Current.CancellationToken));

        string closed = directory.File("closed.kv");
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(closed))
        {
            await store.PutAsync(TestData.Key(1), TestData.Value(1, 100), TestContext.Current.CancellationToken);
        }

        await File.WriteAllBytesAsync(closed + ".log", foreign, TestContext.Current.CancellationToken);
        await Assert.ThrowsAsync<StoreFormatException>(async () => await KeyValueStore.OpenAsync(closed));
        Assert.Equal(foreign, await File.ReadAllBytesAsync(closed + ".log", TestContext.Current.CancellationToken));
    }

    /// <remarks>The message says it in a line; what the log said of itself, and with what, is beneath.</remarks>
    [Theory]
    [InlineData("an empty log", typeof(StoreNotCleanException), typeof(LogFormatException))]
    [InlineData("a foreign file for a log", typeof(StoreFormatException), typeof(LogFormatException))]
    [InlineData("the log of another store", typeof(StoreFormatException), typeof(LogFormatException))]
    [InlineData("a log with a damaged record", typeof(CorruptLogException), typeof(LogCorruptException))]
    public async Task A_refusal_keeps_what_it_comes_from(string harm, Type refusal, Type cause)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("store.kv");
        string other = directory.File("other.kv");
        await MakeUnclosedAsync(directory, path, seed: 1);
        await MakeUnclosedAsync(directory, other, seed: 2);
        s_harms[harm](path, other);
        KeyValueStoreException exception = await Assert.ThrowsAnyAsync<KeyValueStoreException>(async () => await KeyValueStore.OpenAsync(path));
        Assert.IsType(refusal, exception);
        Assert.IsType(cause, exception.InnerException);
        Assert.Equal(exception.InnerException.HResult, exception.HResult);
    }

    [Fact]
    public async Task A_new_store_that_is_refused_for_what_is_in_its_logs_place_keeps_what_that_is()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("store.kv");
        await MakeUnclosedAsync(directory, path, seed: 1);
        File.Delete(path);
        StoreFormatException ofUsed = await Assert.ThrowsAsync<StoreFormatException>(async () => await KeyValueStore.OpenAsync(path));
        Assert.IsType<LogFormatException>(ofUsed.InnerException);
        await File.WriteAllTextAsync(path + ".log", "Not a log.", TestContext.Current.CancellationToken);
        File.Delete(path);
        StoreFormatException ofForeign = await Assert.ThrowsAsync<StoreFormatException>(async () => await KeyValueStore.OpenAsync(path));
        Assert.IsType<LogFormatException>(ofForeign.InnerException);
    }

    /// <remarks>What the file had at the redo point is in no log.</remarks>
    [Fact]
    public async Task Pages_that_were_cut_off_after_a_checkpoint_are_missed_when_the_store_is_opened()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("copy.kv");
        long whole;
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(directory.File()))
        {
            for (int key = 0; key < Keys; key++)
            {
                await store.PutAsync(TestData.Key(key), TestData.Value(key, 300), TestContext.Current.CancellationToken);
            }

            await store.CheckpointAsync(TestContext.Current.CancellationToken);
            await store.PutAsync(TestData.Key(0), TestData.Value(0, 200), TestContext.Current.CancellationToken);
            FileCopy.OfOpenStore(directory.File(), path);
            whole = store.GetStatistics().PageCount * store.PageSize;
        }

        Assert.Equal(whole, new FileInfo(path).Length);
        Cut(path, (int)whole - 4096);
        byte[] pages = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        byte[] log = await File.ReadAllBytesAsync(path + ".log", TestContext.Current.CancellationToken);
        CorruptStoreException exception = await Assert.ThrowsAsync<CorruptStoreException>(async () => await KeyValueStore.OpenAsync(path));
        Assert.Contains("cut off", exception.Message, StringComparison.Ordinal);
        Assert.Equal(pages, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
        Assert.Equal(log, await File.ReadAllBytesAsync(path + ".log", TestContext.Current.CancellationToken));
    }

    /// <summary>Makes a store as a process that was killed leaves it.</summary>
    private static async Task MakeUnclosedAsync(TemporaryDirectory directory, string path, int seed)
    {
        string open = directory.File($"open-{seed}");
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(open, new KeyValueStoreOptions { LogSegmentSize = 64 << 10 }))
        {
            for (int key = 0; key < Keys; key++)
            {
                await store.PutAsync(TestData.Key(key), TestData.Value(seed + key, 300));
            }

            FileCopy.OfOpenStore(open, path);
        }

        File.Delete(open);
        File.Delete(open + ".log");
    }

    private static void Flip(string path, int offset)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[offset] ^= 0x10;
        File.WriteAllBytes(path, bytes);
    }

    private static void Cut(string path, int length)
    {
        using FileStream file = new(path, FileMode.Open);
        file.SetLength(length);
    }
}
