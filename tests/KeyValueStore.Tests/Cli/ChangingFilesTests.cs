using System.Diagnostics;
using StorageCache.KeyValueStore.Cli.Demo;
using StorageCache.KeyValueStore.Cli.Loading;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>Files that change, go, or become something else while they are loaded and compared.</summary>
public class ChangingFilesTests
{
    [Fact]
    public async Task Whatever_becomes_of_a_file_before_it_is_read_the_others_are_loaded_and_it_is_named()
    {
        using TemporaryDirectory directory = new();
        string root = MakeFiles(directory, "a", "directory", "gone", "grown", "huge", "link", "pipe", "shrunk", "z");
        FileTree tree = FileTree.Read(root);
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        FileLoader loader = new(store, tree);
        bool changed = false;
        await loader.RunAsync(
            _ =>
            {
                if (changed)
                {
                    return;
                }

                changed = true;
                foreach (string name in new[] { "directory", "gone", "link", "pipe" })
                {
                    File.Delete(System.IO.Path.Combine(root, name));
                }

                Directory.CreateDirectory(System.IO.Path.Combine(root, "directory"));
                File.CreateSymbolicLink(System.IO.Path.Combine(root, "link"), "a");
                Kv.RunTool("mkfifo", System.IO.Path.Combine(root, "pipe"));
                SetLength(root, "grown", 5000);
                SetLength(root, "huge", KeyValueStore.MaximumValueLength + 1L);
                SetLength(root, "shrunk", 10);
            },
            TestContext.Current.CancellationToken);

        Assert.Equal(["a", "grown", "shrunk", "z"], loader.Loaded.Select(file => file.RelativePath));
        Assert.Equal([1000, 5000, 10, 1000], loader.Loaded.Select(file => file.Length));
        Assert.Equal(
            [("directory", SkipReason.Unreadable), ("gone", SkipReason.Unreadable), ("huge", SkipReason.TooLarge), ("link", SkipReason.Unreadable), ("pipe", SkipReason.Unreadable)],
            loader.Skipped.Select(file => (file.Path, file.Reason)));
        Assert.Equal("5 (1 of more than 64 MiB, 4 not to be read)", SkippedFile.Summarize(loader.Skipped));
        Assert.Equal(4, store.Count);
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task A_source_that_fails_or_grows_too_long_while_it_is_read_is_told_from_a_store_that_fails()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 10));

        SourceException failed = await Assert.ThrowsAsync<SourceException>(async () => await store.PutAsync(TestData.Key(1), new SourceStream(new FailingStream(300_000))));
        Assert.Equal((SkipReason.Unreadable, "the source failed"), (failed.Reason, failed.Message));
        SourceException grown = await Assert.ThrowsAsync<SourceException>(async () => await store.PutAsync(TestData.Key(1), new SourceStream(new EndlessStream())));
        Assert.Equal(SkipReason.TooLarge, grown.Reason);

        Assert.Equal(TestData.Value(1, 10), await store.GetAsync(TestData.Key(1)));
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task A_file_that_changes_while_it_is_read_is_named_and_its_value_is_what_was_read()
    {
        using TemporaryDirectory directory = new();
        string root = MakeFiles(directory, "a");
        string path = System.IO.Path.Combine(root, "a");
        await File.WriteAllBytesAsync(path, TestData.Value(9, 8 << 20), TestContext.Current.CancellationToken);
        FileTree tree = FileTree.Read(root);
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        FileLoader loader = new(store, tree);

        // The store's one writer waits here, with the file open, until the file has changed.
        using StalledStream stalled = new();
        Task holder = store.PutAsync(TestData.Key(1), stalled).AsTask();
        await stalled.Reached;
        Task loading = loader.RunAsync(_ => { }, TestContext.Current.CancellationToken);
        SetLength(root, "a", 1000);
        stalled.Release();
        await holder;
        await loading;

        Assert.Equal(["a"], loader.Changed);
        Assert.Equal(TestData.Value(9, 8 << 20)[..1000], await store.GetAsync(TestData.Bytes("a")));
        Assert.Equal(1000, loader.BytesLoaded);
    }

    [Fact]
    public async Task A_file_that_has_changed_since_it_was_read_is_no_difference_and_a_value_that_has_is_one()
    {
        using TemporaryDirectory directory = new();
        string root = MakeFiles(directory, "bad", "cut", "gone", "good", "longer", "other", "pipe", "touched");
        FileTree tree = FileTree.Read(root);
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        FileLoader loader = new(store, tree);
        await loader.RunAsync(_ => { }, TestContext.Current.CancellationToken);

        await store.PutAsync(TestData.Bytes("bad"), TestData.Value(77, 1000));
        File.Delete(System.IO.Path.Combine(root, "gone"));
        File.Delete(System.IO.Path.Combine(root, "pipe"));
        Kv.RunTool("mkfifo", System.IO.Path.Combine(root, "pipe"));
        SetLength(root, "cut", 999);
        SetLength(root, "longer", 1001);
        await File.WriteAllBytesAsync(System.IO.Path.Combine(root, "other"), TestData.Value(78, 1000), TestContext.Current.CancellationToken);
        File.SetLastWriteTimeUtc(System.IO.Path.Combine(root, "touched"), DateTime.UnixEpoch);

        FileComparer comparer = new(store, tree);
        await comparer.RunAsync(loader.Loaded, _ => { }, TestContext.Current.CancellationToken);
        Assert.Equal(["cut", "gone", "longer", "other", "pipe"], comparer.Changed.Select(line => line.Split(':')[0]).Order(StringComparer.Ordinal));
        Assert.Equal("bad: the value differs from the file at byte 0, and from what was read of it", Assert.Single(comparer.Differences));
        Assert.Equal((2, 2000L), (comparer.VerifiedFiles, comparer.VerifiedBytes));

        await store.DeleteAsync(TestData.Bytes("good"));
        await store.PutAsync(TestData.Bytes("gone"), TestData.Value(77, 1000));
        comparer = new(store, tree);
        await comparer.RunAsync(loader.Loaded, _ => { }, TestContext.Current.CancellationToken);
        Assert.Contains("good: not in the store", comparer.Differences);
        Assert.Contains("gone: the value is not what was read of the file", comparer.Differences);
    }

    [Fact]
    public async Task A_demonstration_on_files_that_never_stand_still_ends_without_a_difference()
    {
        using TemporaryDirectory directory = new();
        string root = MakeFiles(directory, [.. Enumerable.Range(0, 60).Select(i => $"f{i:d2}")]);
        using Process process = Kv.Start(["demo", root]);
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Random random = new(41);
        while (!process.HasExited)
        {
            string path = System.IO.Path.Combine(root, $"f{random.Next(60):d2}");
            switch (random.Next(3))
            {
                case 0:
                    File.Delete(path);
                    break;
                case 1:
                    File.WriteAllBytes(path, TestData.Value(random.Next(), random.Next(200_000)));
                    break;
                default:
                    SetLength(root, System.IO.Path.GetFileName(path), random.Next(200_000));
                    break;
            }
        }

        string text = await output;
        Assert.True(process.ExitCode == 0, await error);
        Assert.EndsWith(" 0 differences\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_left_out_is_counted_by_reason_and_the_demonstration_says_so()
    {
        using TemporaryDirectory directory = new();
        string root = FileTrees.MakeSmall(directory);
        SetLength(root, "large", KeyValueStore.MaximumValueLength + 1L);
        SetLength(root, "largest", 1L << 40);
        Kv.RunTool("mkfifo", System.IO.Path.Combine(root, "pipe"));

        KvResult demo = Kv.Run(["demo", root]);
        Assert.Equal(0, demo.ExitCode);
        Assert.Contains("left out 3 (2 of more than 64 MiB, 1 no regular file)\n", demo.Output, StringComparison.Ordinal);
        Assert.EndsWith("\nverified 3 files, 300005 bytes, 0 differences\n", demo.Output, StringComparison.Ordinal);
        Assert.Contains("kv: left out large: 67108865 bytes, more than a value may have\n", demo.Error, StringComparison.Ordinal);

        KvResult load = Kv.Run(["load", root, "--store", directory.File()]);
        Assert.Equal(1, load.ExitCode);
        Assert.Equal("loaded 3 files, 300005 bytes; left out 3 (2 of more than 64 MiB, 1 no regular file); changed while read 0\n", load.Output);
        File.Delete(System.IO.Path.Combine(root, "large"));
        File.Delete(System.IO.Path.Combine(root, "largest"));
        File.Delete(System.IO.Path.Combine(root, "pipe"));
        Assert.Equal("loaded 3 files, 300005 bytes; left out 0; changed while read 0\n", Kv.Run(["load", root, "--store", directory.File()]).Output);
    }

    private static string MakeFiles(TemporaryDirectory directory, params string[] names)
    {
        string root = directory.File("tree");
        Directory.CreateDirectory(root);
        for (int i = 0; i < names.Length; i++)
        {
            File.WriteAllBytes(System.IO.Path.Combine(root, names[i]), TestData.Value(i, 1000));
        }

        return root;
    }

    private static void SetLength(string root, string name, long length)
    {
        using FileStream file = new(System.IO.Path.Combine(root, name), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(length);
    }

    private sealed class EndlessStream : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(buffer.Length);
    }
}
