using System.Diagnostics;
using System.Text;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

/// <summary>Runs the built <c>kv</c> as a process of its own.</summary>
public class CliTests
{
    private static readonly string s_kv = System.IO.Path.Combine(AppContext.BaseDirectory, "kv.dll");

    [Fact]
    public void Put_get_scan_and_delete_work_from_one_process_to_the_next()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string value = directory.File("value");
        File.WriteAllBytes(value, TestData.Value(1, 100_000));

        Assert.Equal(0, Run(["put", "b", "second", "--store", store]).ExitCode);
        Assert.Equal(0, Run(["put", "a", "--store", store], "from stdin").ExitCode);
        Assert.Equal(0, Run(["put", "c", "--file", value, "--store", store]).ExitCode);
        Assert.Equal("from stdin", Run(["get", "a", "--store", store]).Output);
        Assert.Equal("a\tfrom stdin\nb\tsecond\nc\t<100000 bytes>\n", Run(["scan", "--store", store]).Output);
        Assert.Equal("c\nb\n", Run(["scan", "--keys-only", "--reverse", "--limit", "2", "--store", store]).Output);
        Assert.Equal("b\n", Run(["scan", "--keys-only", "--from", "b", "--to", "c", "--store", store]).Output);

        string copy = directory.File("copy");
        Assert.Equal(0, Run(["get", "c", "--output", copy, "--store", store]).ExitCode);
        Assert.Equal(File.ReadAllBytes(value), File.ReadAllBytes(copy));

        Assert.Equal(0, Run(["delete", "b", "--store", store]).ExitCode);
        CliResult check = Run(["check", "--store", store]);
        Assert.Equal(0, check.ExitCode);
        Assert.Contains("2 entries, 0 problems", check.Output, StringComparison.Ordinal);
        Assert.Contains("overflow pages", Run(["stats", "--store", store]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_way_to_fail_has_its_exit_code_and_one_line_on_stderr()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Run(["put", "a", "b", "--store", store]);
        string foreign = directory.File("foreign");
        File.WriteAllText(foreign, "this is no store");

        AssertFails(1, "'x' is not in the store", ["get", "x", "--store", store]);
        AssertFails(1, "'x' is not in the store", ["delete", "x", "--store", store]);
        AssertFails(2, "frob", ["frob"]);
        AssertFails(2, "--store", ["get", "a"]);
        AssertFails(2, "given twice", ["put", "a", "b", "--file", "c", "--store", store]);
        AssertFails(2, "no page size", ["put", "a", "b", "--page-size", "5000", "--store", store]);
        AssertFails(2, "2097152", ["get", "a", "--cache", "1M", "--store", store]);
        AssertFails(2, "1025", ["get", new string('k', 1025), "--store", store]);
        AssertFails(2, "--limit", ["scan", "--limit", "-1", "--store", store]);
        AssertFails(3, "not a key-value store", ["scan", "--store", foreign]);
        AssertFails(3, "absent", ["get", "a", "--store", directory.File("absent")]);
        AssertFails(3, "no directory", ["load", directory.File("absent"), "--store", store]);
        Assert.False(File.Exists(directory.File("absent")));
    }

    [Fact]
    public void Help_names_every_command_and_the_exit_codes()
    {
        CliResult help = Run(["--help"]);
        Assert.Equal(0, help.ExitCode);
        Assert.Equal("", help.Error);
        foreach (string word in new[] { "load", "put", "get", "delete", "scan", "check", "stats", "demo", "Exit codes", "130" })
        {
            Assert.Contains(word, help.Output, StringComparison.Ordinal);
        }

        Assert.Contains("--reverse", Run(["scan", "--help"]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_page_makes_check_name_it_and_fail()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Run(["put", "a", "--store", store], new string('x', 20_000));
        byte[] bytes = File.ReadAllBytes(store);
        bytes[(3 * 4096) + 100] ^= 1;
        File.WriteAllBytes(store, bytes);

        CliResult check = Run(["check", "--store", store]);
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("does not have its hash", check.Error, StringComparison.Ordinal);
        AssertFails(3, "does not have its hash", ["get", "a", "--store", store], outputIsEmpty: false);
    }

    [Fact]
    public void A_directory_is_loaded_with_links_and_pipes_left_out()
    {
        using TemporaryDirectory directory = new();
        string tree = MakeTree(directory);
        string store = directory.File();
        using (Process mkfifo = Process.Start("mkfifo", [System.IO.Path.Combine(tree, "pipe")]))
        {
            mkfifo.WaitForExit();
        }

        CliResult load = Run(["load", tree, "--store", store]);
        Assert.Equal(1, load.ExitCode);
        Assert.Contains("pipe: not a regular file", load.Error, StringComparison.Ordinal);
        Assert.Contains("left out 1", load.Output, StringComparison.Ordinal);
        Assert.Equal("a.txt\nempty\nsub/big\n", Run(["scan", "--keys-only", "--store", store]).Output);
    }

    [Fact]
    public void An_output_that_is_the_store_is_refused_and_the_store_stays()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string link = directory.File("link");
        Run(["put", "a", "b", "--store", store]);
        File.CreateSymbolicLink(link, store);

        AssertFails(3, "used by another process", ["get", "a", "--output", store, "--store", store]);
        AssertFails(3, "used by another process", ["get", "a", "--output", link, "--store", store]);
        Assert.Equal("b", Run(["get", "a", "--store", store]).Output);
    }

    [Fact]
    public void A_key_that_begins_with_an_at_sign_is_a_key()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Assert.Equal(0, Run(["put", "@a", "@b", "--store", store]).ExitCode);
        Assert.Equal("@a\t@b\n", Run(["scan", "--store", store]).Output);
    }

    [Fact]
    public async Task A_pipe_as_the_store_is_refused_at_once()
    {
        using TemporaryDirectory directory = new();
        string pipe = directory.File("pipe");
        using (Process mkfifo = Process.Start("mkfifo", [pipe]))
        {
            await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        using Process process = Start(["get", "a", "--store", pipe]);
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
        string tree = MakeTree(directory);
        string store = directory.File();
        using (Process shell = Process.Start("sh", ["-c", "touch \"$0/$(printf 'b\\377')\" \"$0/sub/$(printf '\\376')\"", tree]))
        {
            shell.WaitForExit();
        }

        CliResult load = Run(["load", tree, "--store", store]);
        using (Process remove = Process.Start("rm", ["-r", tree]))
        {
            // The runtime cannot name those files, so it could not delete them either.
            remove.WaitForExit();
        }

        Assert.Equal(1, load.ExitCode);
        Assert.Contains("loaded 3 files, 300005 bytes; left out 2", load.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("4K")]
    [InlineData("64K")]
    public void The_demonstration_verifies_a_small_directory_and_shows_no_progress_when_piped(string pageSize)
    {
        using TemporaryDirectory directory = new();
        CliResult demo = Run(["demo", MakeTree(directory), "--page-size", pageSize]);
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
        CliResult demo = Run(["demo", MakeTree(directory), "--plant-difference"]);
        Assert.Equal(1, demo.ExitCode);
        Assert.Contains("a.txt: the value differs from the file at byte 4", demo.Error, StringComparison.Ordinal);
        Assert.EndsWith("verified 2 files, 300005 bytes, 1 differences\n", demo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_demonstration_of_an_empty_directory_verifies_nothing_and_succeeds()
    {
        using TemporaryDirectory directory = new();
        CliResult demo = Run(["demo", directory.Path]);
        Assert.Equal(0, demo.ExitCode);
        Assert.EndsWith("verified 0 files, 0 bytes, 0 differences\n", demo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interrupting_a_command_ends_it_with_the_store_closed()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        using Process process = Start(["put", "a", "--store", store]);
        await process.StandardInput.WriteAsync(new string('x', 200_000));
        await process.StandardInput.FlushAsync();
        for (int i = 0; i < 200 && !(File.Exists(store) && new FileInfo(store).Length >= 8192); i++)
        {
            await Task.Delay(50);
        }

        // Stdin stays open: the command must end although it is waiting for more.
        using (Process kill = Process.Start("kill", ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync();
        }

        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(130, process.ExitCode);
        Assert.Equal(1, Run(["get", "a", "--store", store]).ExitCode);
        Assert.Equal(0, Run(["check", "--store", store]).ExitCode);
    }

    [Fact]
    public async Task A_store_that_another_process_has_open_is_refused()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        await using KeyValueStore open = await KeyValueStore.OpenAsync(store);
        AssertFails(3, "locked", ["get", "a", "--store", store]);
    }

    private static string MakeTree(TemporaryDirectory directory)
    {
        string tree = directory.File("tree");
        Directory.CreateDirectory(System.IO.Path.Combine(tree, "sub"));
        File.WriteAllText(System.IO.Path.Combine(tree, "a.txt"), "12345");
        File.WriteAllText(System.IO.Path.Combine(tree, "empty"), "");
        File.WriteAllBytes(System.IO.Path.Combine(tree, "sub", "big"), TestData.Value(5, 300_000));
        File.CreateSymbolicLink(System.IO.Path.Combine(tree, "link"), "a.txt");
        Directory.CreateSymbolicLink(System.IO.Path.Combine(tree, "sub", "up"), "..");
        return tree;
    }

    private static void AssertFails(int exitCode, string message, string[] arguments, bool outputIsEmpty = true)
    {
        CliResult result = Run(arguments);
        Assert.True(result.ExitCode == exitCode, $"{string.Join(' ', arguments)}: exit code {result.ExitCode}, not {exitCode}: {result.Error}");
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Count(character => character == '\n'));
        Assert.StartsWith("kv: ", result.Error, StringComparison.Ordinal);
        if (outputIsEmpty)
        {
            Assert.Equal("", result.Output);
        }
    }

    private static Process Start(string[] arguments)
    {
        ProcessStartInfo start = new("dotnet", [s_kv, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        return Process.Start(start)!;
    }

    private static CliResult Run(string[] arguments, string input = "")
    {
        using Process process = Start(arguments);
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        process.WaitForExit();
        return new CliResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    private sealed record CliResult(int ExitCode, string Output, string Error);
}
