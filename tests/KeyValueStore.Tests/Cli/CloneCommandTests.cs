using System.Diagnostics;
using System.Globalization;
using StorageCache.KeyValueStore.Tests.Mounted;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary><c>kv clone</c> and <c>kv demo --clones</c>.</summary>
public class CloneCommandTests
{
    private const int Clones = 3;

    /// <summary>Columns of the demonstration's table.</summary>
    private const int Kernel = 3;
    private const int Cache = 5;
    private const int SharedFrames = 6;
    private const int Changed = 10;

    [Theory]
    [InlineData(CloneDisk.Xfs)]
    [InlineData(CloneDisk.Btrfs)]
    [InlineData(CloneDisk.Tmpfs)]
    public void A_store_is_cloned_and_the_command_says_how(string type)
    {
        using MountedFileSystem disk = CloneDisk.Mount(type);
        string source = disk.File("source");
        Assert.Equal(0, Kv.Run(["put", "a", "first", "--store", source]).ExitCode);
        Assert.Equal(0, Kv.Run(["put", "b", "--store", source], new string('x', 100_000)).ExitCode);

        KvResult clone = Kv.Run(["clone", source, disk.File("clone")]);
        Assert.True(clone.ExitCode == 0, clone.Error);
        string[] lines = clone.Output.Split('\n');
        Assert.Equal($"cloned 2 entries, {new FileInfo(source).Length / 4096} pages, {new FileInfo(source).Length} bytes", lines[0]);
        Assert.StartsWith(CloneDisk.HasReflinks(type) ? "a reflink: " : "a plain copy: ", lines[1], StringComparison.Ordinal);

        // The meta pages differ, for each store has a log of its own.
        Assert.Equal(File.ReadAllBytes(source)[4096..], File.ReadAllBytes(disk.File("clone"))[4096..]);

        Assert.Equal(0, Kv.Run(["put", "a", "second", "--store", disk.File("clone")]).ExitCode);
        Assert.Equal("first", Kv.Run(["get", "a", "--store", source]).Output);
        Assert.Equal("second", Kv.Run(["get", "a", "--store", disk.File("clone")]).Output);
        Assert.Equal(0, Kv.Run(["check", "--store", source]).ExitCode);
        Assert.Equal(0, Kv.Run(["check", "--store", disk.File("clone")]).ExitCode);
    }

    [Fact]
    public void What_cannot_be_cloned_is_said_and_leaves_nothing_behind()
    {
        using TemporaryDirectory directory = new();
        using MountedFileSystem small = MountedFileSystem.Tmpfs(64 << 10);
        using MountedFileSystem readOnly = MountedFileSystem.Tmpfs(1 << 20);
        Assert.Null(MountedFileSystem.TryRun("mount", "-o", "remount,ro", readOnly.Path));
        string store = directory.File();
        Kv.Run(["put", "a", "--store", store], new string('x', 200_000));
        string foreign = directory.File("foreign");
        File.WriteAllText(foreign, "this is no store");

        Kv.AssertFails(3, "File exists", ["clone", store, foreign]);
        Kv.AssertFails(3, "File exists", ["clone", store, store]);
        Kv.AssertFails(3, "No space left", ["clone", store, small.File("clone")]);
        Kv.AssertFails(3, "Read-only file system", ["clone", store, readOnly.File("clone")]);
        Kv.AssertFails(3, "No such file or directory", ["clone", store, directory.File("no/clone")]);
        Kv.AssertFails(3, "No such file or directory", ["clone", directory.File("absent"), directory.File("clone")]);
        Kv.AssertFails(3, "not a key-value store", ["clone", foreign, directory.File("clone")]);
        Kv.AssertFails(2, "DST is missing", ["clone", store]);
        Kv.AssertFails(2, "DST is ''", ["clone", store, ""]);
        Kv.AssertFails(2, "--cache is '1M'", ["clone", store, directory.File("clone"), "--cache", "1M"]);

        Assert.Equal("this is no store", File.ReadAllText(foreign));
        Assert.Equal(["foreign", "test.kv", "test.kv.log"], Directory.EnumerateFileSystemEntries(directory.Path).Select(Path.GetFileName).Order());
        Assert.Empty(Directory.EnumerateFileSystemEntries(small.Path));
        Assert.Equal(0, Kv.Run(["check", "--store", store]).ExitCode);
    }

    [Theory]
    [InlineData(CloneDisk.Xfs)]
    [InlineData(CloneDisk.Btrfs)]
    public void The_demonstration_of_clones_takes_little_more_than_one_store(string type)
    {
        using TemporaryDirectory directory = new();
        using MountedFileSystem disk = CloneDisk.Mount(type);
        string[][] rows = RunDemonstration(directory, disk.Path, []);

        Assert.Equal($"with {Clones} reflinks", rows[1][0]);
        AssertShares(rows);
        Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
    }

    [Fact]
    public void The_demonstration_makes_a_file_system_where_there_are_no_reflinks_and_takes_it_away()
    {
        using TemporaryDirectory directory = new();

        // Where this can be mounted the demonstration can mount one as well.
        using MountedFileSystem disk = MountedFileSystem.Tmpfs(512 << 20);
        string[][] rows = RunDemonstration(directory, disk.Path, []);

        Assert.Equal($"with {Clones} reflinks", rows[1][0]);
        AssertShares(rows);
        Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
        Assert.DoesNotContain(disk.Path + "/", File.ReadAllText("/proc/mounts"), StringComparison.Ordinal);
    }

    [Fact]
    public void Plain_copies_share_equal_content_where_that_is_asked_for()
    {
        using TemporaryDirectory directory = new();
        using MountedFileSystem disk = CloneDisk.Mount(CloneDisk.Tmpfs);
        string[][] rows = RunDemonstration(directory, disk.Path, ["--share-content"]);

        Assert.Equal($"with {Clones} plain copies", rows[1][0]);

        // What is equal is known when it has been read: until then each page has a frame, as many at a time as reads run ahead.
        AssertShares(rows, most: Clones);
    }

    [Fact]
    public async Task An_interrupted_demonstration_of_clones_leaves_nothing_behind()
    {
        using TemporaryDirectory directory = new();
        using MountedFileSystem disk = MountedFileSystem.Tmpfs(512 << 20);
        string tree = MakeTree(directory, files: 2000);
        using Process process = Kv.StartInterruptible(["demo", tree, "--clones", "100", "--scratch", disk.Path]);
        try
        {
            Wait.Until(() => process.HasExited || File.ReadAllText("/proc/mounts").Contains(disk.Path + "/", StringComparison.Ordinal), "the image to be mounted");
            Kv.Signal(process, "INT");
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        finally
        {
            process.Kill();
        }

        Assert.Equal(130, process.ExitCode);
        Assert.Empty(Directory.EnumerateFileSystemEntries(disk.Path));
        Assert.DoesNotContain(disk.Path + "/", await File.ReadAllTextAsync("/proc/mounts", TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_options_of_the_demonstration_are_said()
    {
        using TemporaryDirectory directory = new();
        Kv.AssertFails(2, "--clones is '0'; allowed: 1 to 100", ["demo", directory.Path, "--clones", "0"]);
        Kv.AssertFails(2, "--clones is '101'; allowed: 1 to 100", ["demo", directory.Path, "--clones", "101"]);
        Kv.AssertFails(2, "--share-content is given without --clones", ["demo", directory.Path, "--share-content"]);
        Kv.AssertFails(3, "There is no directory", ["demo", directory.Path, "--scratch", directory.File("no")], outputIsEmpty: false);
    }

    /// <summary>Runs the demonstration, and gives the three rows of its last table.</summary>
    private static string[][] RunDemonstration(TemporaryDirectory directory, string scratch, string[] options)
    {
        KvResult demo = Kv.Run(
            ["demo", MakeTree(directory, files: 400), "--clones", Clones.ToString(CultureInfo.InvariantCulture), "--scratch", scratch, .. options]);
        Assert.True(demo.ExitCode == 0, demo.Error);
        Assert.Equal("", demo.Error);
        return [.. demo.Output.Split('\n')
            .SkipWhile(line => !line.Contains("memory for a store", StringComparison.Ordinal))
            .SkipWhile(line => !line.StartsWith("  the store", StringComparison.Ordinal))
            .Take(3)
            .Select(line => line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
    }

    /// <summary>The kernel holds each file, if it was left to; the cache holds what is different, and what it notes of each page.</summary>
    /// <param name="rows">The table.</param>
    /// <param name="most">How much memory the cache has touched at most for the store and its clones, in times of that for the store.</param>
    private static void AssertShares(string[][] rows, double most = 2)
    {
        Assert.InRange(Number(rows[1][Kernel]), Clones * 0.7, (Clones + 1) * 1.1);
        Assert.InRange(Number(rows[1][Cache]), 1, most);
        Assert.InRange(Number(rows[2][Cache]), 1, most + 0.5);
        Assert.NotEqual(0, Number(rows[1][SharedFrames]));
        // The meta pages: each store has a log of its own.
        Assert.InRange(Number(rows[1][Changed].TrimEnd('%', ' ')), 0, 0.1);
        Assert.InRange(Number(rows[2][Changed].TrimEnd('%', ' ')), 8, 15);
    }

    private static double Number(string cell) => double.Parse(cell, NumberStyles.Number, CultureInfo.InvariantCulture);

    /// <summary>Files of a page or a few.</summary>
    private static string MakeTree(TemporaryDirectory directory, int files)
    {
        string tree = directory.File("tree");
        Directory.CreateDirectory(tree);
        for (int i = 0; i < files; i++)
        {
            File.WriteAllBytes(Path.Combine(tree, $"{i:d5}"), TestData.Value(i, 3000 + (i % 40 * 500)));
        }

        return tree;
    }
}
