using System.Diagnostics;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>Surroundings that are against the command: signals, limits, full and read-only places, other processes.</summary>
public class HostileTests
{
    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public async Task A_load_that_is_told_to_end_closes_the_store_with_what_was_loaded(string signal)
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        using Process process = StartLoad(directory, store);
        Kv.TrySignal(process, signal);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        // A fast load may have come to its end before the signal did.
        Assert.True(process.ExitCode is 130 or 0, await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        KvResult check = Kv.Run(["check", "--store", store]);
        Assert.True(check.ExitCode == 0, check.Error);
    }

    [Fact]
    public async Task A_load_that_is_killed_leaves_a_store_that_recovers()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        using Process process = StartLoad(directory, store);
        process.Kill();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        KvResult check = Kv.Run(["check", "--store", store]);
        Assert.True(check.ExitCode == 0, check.Error);
        Assert.Contains("had not been closed", check.Error, StringComparison.Ordinal);
        string keys = Kv.Run(["scan", "--keys-only", "--store", store]).Output;
        for (int i = 0; i < 20; i++)
        {
            // A file is there whole or not at all.
            KvResult value = Kv.Run(["get", $"f{i}", "--output", directory.File("value"), "--store", store]);
            Assert.Equal(keys.Split('\n').Contains($"f{i}") ? 0 : 1, value.ExitCode);
            Assert.Equal("", value.ExitCode == 0 ? value.Error : "");
            if (value.ExitCode == 0)
            {
                Assert.Equal(TestData.Value(i, 10 << 20), await File.ReadAllBytesAsync(directory.File("value"), TestContext.Current.CancellationToken));
            }
        }

        Assert.Equal(0, Kv.Run(["put", "f1", "x", "--store", store]).ExitCode);
    }

    [Fact]
    public async Task A_command_that_waits_for_somebody_at_the_other_end_of_a_pipe_can_be_ended()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string pipe = directory.File("pipe");
        Kv.RunTool("mkfifo", pipe);
        Kv.Run(["put", "a", "b", "--store", store]);
        foreach (string[] command in new string[][] { ["put", "c", "--file", pipe], ["get", "a", "--output", pipe] })
        {
            using Process process = Kv.StartInterruptible([.. command, "--store", store]);
            while (!HasSignalHandlers(process))
            {
                await Task.Delay(50, TestContext.Current.CancellationToken);
            }

            Kv.Signal(process, "HUP");
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(130, process.ExitCode);
        }

        Assert.Equal("a\tb\n", Kv.Run(["scan", "--store", store]).Output);
    }

    [Fact]
    public void Limits_of_the_process_and_places_that_are_full_or_absent_are_errors_that_say_so()
    {
        using TemporaryDirectory directory = new();
        File.WriteAllBytes(directory.File("large"), TestData.Value(1, 20_000_000));
        KvResult result = Kv.RunShell(
            """
            cd "$1"; kv put a b --store s || exit 99
            (ulimit -f 20000; kv put large --file large --store limited); echo $?
            kv scan --store s > /dev/full; echo $?
            kv stats --store s > /dev/full; echo $?
            TMPDIR="$1/absent" kv demo "$1"; echo $?
            export DOTNET_GCHeapHardLimit=0x2000000; kv get a --cache 40M --store s; echo " $?"
            """,
            directory.Path);
        Assert.Equal("3\n3\n3\n3\nb 0\n", result.Output[result.Output.IndexOf('3')..].Replace(DemoLine(result.Output), "", StringComparison.Ordinal));
        Assert.Contains("File too large", result.Error, StringComparison.Ordinal);
        Assert.Contains("No space left on device", result.Error, StringComparison.Ordinal);
        Assert.Contains($"Cannot create a directory for the store in '{directory.Path}/absent/', which TMPDIR names", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_store_that_may_only_be_read_is_read_and_not_changed()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Kv.Run(["put", "a", "b", "--store", store]);
        byte[] before = File.ReadAllBytes(store);
        KvResult result = Kv.RunShell(
            """
            chmod 444 "$1"; run() { kv "$@"; echo " $?"; }
            if [ "$(id -u)" = 0 ]; then run() { setpriv --reuid 65534 --regid 65534 --clear-groups dotnet "$kv_path" "$@"; echo " $?"; }; chmod 755 "$2"; fi
            export HOME=/nonexistent DOTNET_CLI_HOME="$2"
            run get a --store "$1"; run scan --store "$1"; run check --store "$1"; run put a c --store "$1"; run delete a --store "$1"
            """,
            store, directory.Path);
        Assert.Equal("b 0\na\tb\n 0\nchecked 3 pages, 1 entries, 0 problems\n 0\n 3\n 3\n", result.Output);
        Assert.Equal(2, result.Error.Split("Permission denied", StringSplitOptions.None).Length - 1);
        Assert.Equal(before, File.ReadAllBytes(store));
    }

    [Fact]
    public async Task Of_processes_that_change_one_store_at_once_each_succeeds_or_says_that_it_is_locked()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Process[] processes = [.. Enumerable.Range(0, 5).Select(i => Kv.Start(["put", $"k{i}", $"v{i}", "--store", store]))];
        List<string> expected = [];
        for (int i = 0; i < processes.Length; i++)
        {
            string error = await processes[i].StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await processes[i].WaitForExitAsync(TestContext.Current.CancellationToken);
            if (processes[i].ExitCode == 0)
            {
                expected.Add($"k{i}\tv{i}\n");
            }
            else
            {
                Assert.Equal(3, processes[i].ExitCode);
                Assert.Contains("is locked by another process", error, StringComparison.Ordinal);
            }

            processes[i].Dispose();
        }

        Assert.NotEmpty(expected);
        Assert.Equal(string.Concat(expected), Kv.Run(["scan", "--store", store]).Output);
        Assert.Equal(0, Kv.Run(["check", "--store", store]).ExitCode);
    }

    /// <summary>Starts to load 200 MB, and returns when some of it is in the file.</summary>
    private static Process StartLoad(TemporaryDirectory directory, string store)
    {
        string tree = directory.File("tree");
        Directory.CreateDirectory(tree);
        for (int i = 0; i < 20; i++)
        {
            File.WriteAllBytes(System.IO.Path.Combine(tree, $"f{i}"), TestData.Value(i, 10 << 20));
        }

        Process process = Kv.StartInterruptible(["load", tree, "--cache", "4M", "--store", store]);
        while (!process.HasExited && !(File.Exists(store) && new FileInfo(store).Length > 4 << 20))
        {
            Thread.Sleep(5);
        }

        return process;
    }

    /// <summary>Whether the process catches SIGXFSZ, and so SIGHUP, which comes first: before that it would just be gone.</summary>
    private static bool HasSignalHandlers(Process process)
    {
        string caught = File.ReadLines($"/proc/{process.Id}/status").First(line => line.StartsWith("SigCgt:", StringComparison.Ordinal))["SigCgt:".Length..].Trim();
        return (Convert.ToUInt64(caught, 16) & (1UL << 24)) != 0;
    }

    /// <summary>What the demonstration says before it needs a place for its store.</summary>
    private static string DemoLine(string output) => output.Split('\n').First(line => line.Contains("symbolic links not followed", StringComparison.Ordinal)) + "\n";
}
