using System.Diagnostics;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>Where <c>get --output</c> writes to.</summary>
public class OutputTests
{
    [Fact]
    public async Task Processes_that_write_the_same_file_all_succeed_and_leave_one_whole_value_and_nothing_else()
    {
        const int Processes = 4;
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string output = directory.File("output");
        await using (KeyValueStore filled = await KeyValueStore.OpenAsync(store))
        {
            for (int i = 0; i < Processes; i++)
            {
                await filled.PutAsync(TestData.Bytes($"{i}"), TestData.Value(i, 3_000_000 + i));
            }
        }

        for (int round = 0; round < 3; round++)
        {
            Process[] processes = [.. Enumerable.Range(0, Processes).Select(i => Kv.Start(["get", $"{i}", "--output", output, "--store", store]))];
            foreach (Process process in processes)
            {
                string error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
                await process.WaitForExitAsync(TestContext.Current.CancellationToken);
                Assert.True(process.ExitCode == 0, error);
                process.Dispose();
            }

            byte[] written = await File.ReadAllBytesAsync(output, TestContext.Current.CancellationToken);
            Assert.Contains(Enumerable.Range(0, Processes), i => TestData.Value(i, 3_000_000 + i).AsSpan().SequenceEqual(written));
            Assert.Equal(["output", "test.kv", "test.kv.log"], Names(directory));
        }
    }

    [Fact]
    public void Devices_and_pipes_are_written_to_and_stay()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Kv.Run(["put", "a", "value", "--store", store]);
        KvResult result = Kv.RunShell(
            """
            kv get a --output /dev/null --store "$1"; echo $?; ls -l /dev/null | cut -c1
            kv get a --output /dev/stdout --store "$1"; echo " $?"
            kv get a --output /dev/fd/1 --store "$1" | cat; echo
            { kv get a --output /proc/self/fd/2 --store "$1" 2>&1 >/dev/null; } | cat; echo
            mkfifo "$2/pipe"; kv get a --output "$2/pipe" --store "$1" & cat "$2/pipe"; wait $!; echo " $?"; ls -l "$2/pipe" | cut -c1
            { echo before; kv get a --output /dev/stdout --store "$1"; echo; echo after; } > "$2/file"; cat "$2/file"
            kv get a --output /dev/full --store "$1"; echo $?
            """,
            store, directory.Path);
        Assert.Equal("0\nc\nvalue 0\nvalue\nvalue\nvalue 0\np\nbefore\nvalue\nafter\n3\n", result.Output);
        Assert.Contains("No space left on device", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_is_replaced_whole_with_its_links_and_permissions_kept()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string file = directory.File("file");
        Kv.Run(["put", "a", "--store", store], new string('x', 20_000));
        KvResult result = Kv.RunShell(
            """
            cd "$2"; umask 022; echo long enough to be seen > file; chmod 640 file; ln -s file link; ln -s nothing dangling
            kv get a --output link --store "$1" && stat -c '%F %a %s' file && stat -c %F link
            kv get a --output dangling --store "$1" && stat -c '%F %a %s' nothing && stat -c %F dangling
            """,
            store, directory.Path);
        Assert.Equal("regular file 640 20000\nsymbolic link\nregular file 644 20000\nsymbolic link\n", result.Output);

        byte[] bytes = File.ReadAllBytes(store);
        bytes[(3 * 4096) + 100] ^= 1;
        File.WriteAllBytes(store, bytes);
        File.WriteAllText(file, "kept");
        Assert.Equal(3, Kv.Run(["get", "a", "--output", file, "--store", store]).ExitCode);
        Assert.Equal(1, Kv.Run(["get", "absent", "--output", file, "--store", store]).ExitCode);
        Assert.Equal("kept", File.ReadAllText(file));
        Assert.Equal(["dangling", "file", "link", "nothing", "test.kv", "test.kv.log"], Names(directory));
    }

    [Fact]
    public async Task An_output_that_cannot_be_one_is_refused_and_stays()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string other = directory.File("other.kv");
        string link = directory.File("link");
        string circle = directory.File("circle");
        Kv.Run(["put", "a", "b", "--store", store]);
        File.CreateSymbolicLink(link, store);
        File.CreateSymbolicLink(circle, circle);
        Kv.RunTool("ln", store, directory.File("hard"));

        Kv.AssertFails(3, "is the store itself", ["get", "a", "--output", store, "--store", store]);
        Kv.AssertFails(3, "is the store itself", ["get", "a", "--output", link, "--store", store]);
        Kv.AssertFails(3, "is the store itself", ["get", "a", "--output", directory.File("hard"), "--store", store]);
        Kv.AssertFails(3, "symbolic links", ["get", "a", "--output", circle, "--store", store]);
        Kv.AssertFails(3, "Cannot create the output", ["get", "a", "--output", directory.File("absent/file"), "--store", store]);
        Kv.AssertFails(3, "denied", ["get", "a", "--output", directory.Path, "--store", store]);
        Kv.AssertFails(2, "--output is ''; allowed: a path", ["get", "a", "--output", "", "--store", store]);
        await using (KeyValueStore open = await KeyValueStore.OpenAsync(other))
        {
            Kv.AssertFails(3, "used by another process", ["get", "a", "--output", other, "--store", store]);
        }

        Assert.Equal("b", Kv.Run(["get", "a", "--store", store]).Output);
        Assert.Equal(0, Kv.Run(["check", "--store", other]).ExitCode);
    }

    private static string[] Names(TemporaryDirectory directory) =>
        [.. Directory.EnumerateFileSystemEntries(directory.Path).Select(path => System.IO.Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
