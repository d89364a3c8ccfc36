using System.Diagnostics;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

public class CliTests
{
    [Fact]
    public void Put_get_scan_and_delete_work_from_one_process_to_the_next()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string value = directory.File("value");
        File.WriteAllBytes(value, TestData.Value(1, 100_000));

        Assert.Equal(0, Kv.Run(["put", "b", "second", "--store", store]).ExitCode);
        Assert.Equal(0, Kv.Run(["put", "a", "--store", store], "from stdin").ExitCode);
        Assert.Equal(0, Kv.Run(["put", "c", "--file", value, "--store", store]).ExitCode);
        Assert.Equal("from stdin", Kv.Run(["get", "a", "--store", store]).Output);
        Assert.Equal("a\tfrom stdin\nb\tsecond\nc\t<100000 bytes>\n", Kv.Run(["scan", "--store", store]).Output);
        Assert.Equal("c\nb\n", Kv.Run(["scan", "--keys-only", "--reverse", "--limit", "2", "--store", store]).Output);
        Assert.Equal("b\n", Kv.Run(["scan", "--keys-only", "--from", "b", "--to", "c", "--store", store]).Output);

        string copy = directory.File("copy");
        Assert.Equal(0, Kv.Run(["get", "c", "--output", copy, "--store", store]).ExitCode);
        Assert.Equal(File.ReadAllBytes(value), File.ReadAllBytes(copy));

        Assert.Equal(0, Kv.Run(["delete", "b", "--store", store]).ExitCode);
        KvResult check = Kv.Run(["check", "--store", store]);
        Assert.Equal(0, check.ExitCode);
        Assert.Contains("2 entries, 0 problems", check.Output, StringComparison.Ordinal);
        Assert.Contains("overflow pages", Kv.Run(["stats", "--store", store]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_way_to_fail_has_its_exit_code_and_one_line_on_stderr()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Kv.Run(["put", "a", "b", "--store", store]);
        string foreign = directory.File("foreign");
        File.WriteAllText(foreign, "this is no store");

        Kv.AssertFails(1, "'x' is not in the store", ["get", "x", "--store", store]);
        Kv.AssertFails(1, "'x' is not in the store", ["delete", "x", "--store", store]);
        Kv.AssertFails(2, "frob", ["frob"]);
        Kv.AssertFails(2, "--store is missing", ["get", "a"]);
        Kv.AssertFails(3, "not a key-value store", ["scan", "--store", foreign]);
        Kv.AssertFails(3, "absent", ["get", "a", "--store", directory.File("absent")]);
        Kv.AssertFails(3, "no directory", ["load", directory.File("absent"), "--store", store]);
        Assert.False(File.Exists(directory.File("absent")));
    }

    [Fact]
    public void Help_names_every_command_and_the_exit_codes()
    {
        KvResult help = Kv.Run(["--help"]);
        Assert.Equal(0, help.ExitCode);
        Assert.Equal("", help.Error);
        foreach (string word in new[] { "load", "put", "get", "delete", "scan", "check", "stats", "clone", "demo", "Exit codes", "130" })
        {
            Assert.Contains(word, help.Output, StringComparison.Ordinal);
        }

        Assert.Contains("--reverse", Kv.Run(["scan", "--help"]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_page_makes_check_name_it_and_fail()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Kv.Run(["put", "a", "--store", store], new string('x', 20_000));
        byte[] bytes = File.ReadAllBytes(store);
        bytes[(3 * 4096) + 100] ^= 1;
        File.WriteAllBytes(store, bytes);

        KvResult check = Kv.Run(["check", "--store", store]);
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("page 3: its checksum is wrong", check.Error, StringComparison.Ordinal);
        Kv.AssertFails(3, "corrupt at page 3: its checksum is wrong", ["get", "a", "--store", store]);
    }

    [Fact]
    public void A_directory_is_loaded_with_links_and_pipes_left_out()
    {
        using TemporaryDirectory directory = new();
        string tree = FileTrees.MakeSmall(directory);
        string store = directory.File();
        Kv.RunTool("mkfifo", System.IO.Path.Combine(tree, "pipe"));

        KvResult load = Kv.Run(["load", tree, "--store", store]);
        Assert.Equal(1, load.ExitCode);
        Assert.Contains("pipe: not a regular file", load.Error, StringComparison.Ordinal);
        Assert.Contains("left out 1", load.Output, StringComparison.Ordinal);
        Assert.Equal("a.txt\nempty\nsub/big\n", Kv.Run(["scan", "--keys-only", "--store", store]).Output);
    }

    [Fact]
    public void A_key_that_begins_with_an_at_sign_is_a_key()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Assert.Equal(0, Kv.Run(["put", "@a", "@b", "--store", store]).ExitCode);
        Assert.Equal("@a\t@b\n", Kv.Run(["scan", "--store", store]).Output);
    }

    [Fact]
    public async Task A_pipe_as_the_store_is_refused_at_once()
    {
        using TemporaryDirectory directory = new();
        string pipe = directory.File("pipe");
        Kv.RunTool("mkfifo", pipe);

        using Process process = Kv.Start(["get", "a", "--store", pipe]);
        try
        {
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        }
        finally
        {
            process.Kill();
        }

        Assert.Equal(3, process.ExitCode);
    }

    [Fact]
    public void A_name_that_is_not_text_costs_its_neighbours_nothing()
    {
        using TemporaryDirectory directory = new();
        string tree = FileTrees.MakeSmall(directory);
        string store = directory.File();
        Kv.RunTool("sh", "-c", "touch \"$0/$(printf 'b\\377')\" \"$0/sub/$(printf '\\376')\"", tree);

        KvResult load = Kv.Run(["load", tree, "--store", store]);

        // The runtime cannot name those files, so it could not delete them either.
        Kv.RunTool("rm", "-r", tree);

        Assert.Equal(1, load.ExitCode);
        Assert.Contains("loaded 3 files, 300005 bytes; left out 2", load.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("4K")]
    [InlineData("64K")]
    public void The_demonstration_verifies_a_small_directory_and_shows_no_progress_when_piped(string pageSize)
    {
        using TemporaryDirectory directory = new();
        KvResult demo = Kv.Run(["demo", FileTrees.MakeSmall(directory), "--page-size", pageSize]);
        Assert.True(demo.ExitCode == 0, demo.Error);
        Assert.Equal("", demo.Error);
        Assert.DoesNotContain('\u001b', demo.Output);
        Assert.EndsWith("verified 3 files, 300005 bytes, 0 differences\n", demo.Output, StringComparison.Ordinal);
        Assert.Contains("hit ratio", demo.Output, StringComparison.Ordinal);
        Assert.Contains("peak resident set", demo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_planted_difference_makes_the_demonstration_fail()
    {
        using TemporaryDirectory directory = new();
        KvResult demo = Kv.Run(["demo", FileTrees.MakeSmall(directory), "--plant-difference"]);
        Assert.Equal(1, demo.ExitCode);
        Assert.Contains("a.txt: the value differs from the file at byte 4", demo.Error, StringComparison.Ordinal);
        Assert.EndsWith("verified 2 files, 300000 bytes, 1 differences\n", demo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_demonstration_of_an_empty_directory_verifies_nothing_and_succeeds()
    {
        using TemporaryDirectory directory = new();
        KvResult demo = Kv.Run(["demo", directory.Path]);
        Assert.Equal(0, demo.ExitCode);
        Assert.EndsWith("verified 0 files, 0 bytes, 0 differences\n", demo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interrupting_a_command_ends_it_with_the_store_closed()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        using Process process = Kv.StartInterruptible(["put", "a", "--store", store]);
        await process.StandardInput.WriteAsync(new string('x', 200_000));
        await process.StandardInput.FlushAsync();
        while (!process.HasExited && !(File.Exists(store) && new FileInfo(store).Length >= 8192))
        {
            await Task.Delay(50);
        }

        // Stdin stays open: the command must end although it is waiting for more.
        Kv.Signal(process, "INT");

        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(130, process.ExitCode);
        Assert.Equal(1, Kv.Run(["get", "a", "--store", store]).ExitCode);
        Assert.Equal(0, Kv.Run(["check", "--store", store]).ExitCode);
    }

    [Fact]
    public async Task A_store_that_another_process_has_open_is_refused()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        await using KeyValueStore open = await KeyValueStore.OpenAsync(store);
        Kv.AssertFails(3, "locked", ["get", "a", "--store", store]);
    }
}
