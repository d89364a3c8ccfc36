using System.Text;
using StorageCache.KeyValueStore.Cli.CommandLine;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>Keys on the command line are bytes, whatever the runtime makes of them.</summary>
public class KeyTests
{
    [Fact]
    public void Keys_that_are_no_text_are_different_keys_in_every_command()
    {
        using TemporaryDirectory directory = new();
        KvResult result = Kv.RunShell(
            """
            bad=$(printf 'a\377') other=$(printf 'a\376') mark=$(printf 'a\357\277\275')
            kv put "$bad" first --store "$1" && kv put "$other" second --store "$1" && kv put "$mark" "$bad" --store "$1"
            kv get "$bad" --store "$1"; echo
            kv get "$other" --store "$1"; echo
            kv get "$mark" --store "$1" | od -An -tx1
            kv scan --store "$1"
            kv scan --hex --keys-only --from 61fe --store "$1"
            kv scan --from "$bad" --keys-only --store "$1"
            kv delete "$other" --store "$1"
            kv get "$other" --store "$1"
            kv scan --hex --keys-only --reverse --store "$1"
            """,
            directory.File());

        Assert.Equal(
            "first\nsecond\n 61 ff\na\uFFFD\ta\\xff\na\\xfe\tsecond\na\\xff\tfirst\n61fe\n61ff\na\\xff\n61ff\n61efbfbd\n", result.Output);
        Assert.Equal("kv: 'a\\xfe' is not in the store\n", result.Error);
    }

    [Fact]
    public void Every_key_that_a_scan_prints_in_hexadecimal_digits_can_be_got_and_deleted()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        byte[][] keys = [[], [0], [0, 0], "a\0b"u8.ToArray(), "line\nbreak"u8.ToArray(), "back\\slash"u8.ToArray(), [0xC3], [0xED, 0xA0, 0x80], TestData.Value(1, 1024)];
        foreach (byte[] key in keys)
        {
            Assert.Equal(0, Kv.Run(["put", Convert.ToHexString(key), $"value {key.Length}", "--hex", "--store", store]).ExitCode);
        }

        string[] printed = Kv.Run(["scan", "--hex", "--keys-only", "--store", store]).Output.TrimEnd('\n').Split('\n');
        Assert.Equal(keys.Order(KeyComparer.Instance), printed.Select(Convert.FromHexString));
        foreach (string key in printed)
        {
            Assert.Equal($"value {key.Length / 2}", Kv.Run(["get", "--hex", key, "--store", store]).Output);
            Assert.Equal(0, Kv.Run(["delete", key, "--hex", "--store", store]).ExitCode);
        }

        Assert.Equal("", Kv.Run(["scan", "--store", store]).Output);
    }

    [Fact]
    public void A_key_that_is_none_is_refused_before_the_store_is_touched()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string longest = new('k', 1024);
        Kv.AssertFails(2, "KEY is 'abc'; allowed: with --hex, hexadecimal digits", ["put", "abc", "v", "--hex", "--store", store]);
        Kv.AssertFails(2, "KEY is 'xy'; allowed: with --hex, hexadecimal digits", ["get", "xy", "--hex", "--store", store]);
        Kv.AssertFails(2, "--from is 'xy'; allowed: with --hex, hexadecimal digits", ["scan", "--from", "xy", "--hex", "--store", store]);
        Kv.AssertFails(2, "KEY has 1025 bytes; allowed: 0 to 1024 bytes", ["put", longest + "k", "v", "--store", store]);
        Kv.AssertFails(2, "KEY has 1025 bytes; allowed: 0 to 1024 bytes", ["delete", longest + "k", "--store", store]);
        Kv.AssertFails(2, "--to has 1025 bytes; allowed: 0 to 1024 bytes", ["scan", "--to", longest + "k", "--store", store]);
        Assert.False(File.Exists(store));

        Assert.Equal(0, Kv.Run(["put", longest, "long", "--store", store]).ExitCode);
        Assert.Equal(0, Kv.Run(["put", "", "short", "--store", store]).ExitCode);
        Assert.Equal("long", Kv.Run(["get", longest, "--store", store]).Output);
        Assert.Equal("short", Kv.Run(["get", "", "--store", store]).Output);
        Assert.Equal("", Kv.Run(["scan", "--to", "", "--store", store]).Output);
        Assert.Equal($"{longest}\n\n", Kv.Run(["scan", "--from", "", "--keys-only", "--reverse", "--store", store]).Output);
    }

    [Fact]
    public void A_path_that_is_no_text_is_refused_rather_than_taken_for_another()
    {
        using TemporaryDirectory directory = new();
        KvResult result = Kv.RunShell(
            """
            cd "$1"; bad=$(printf 'x\377')
            kv put a b --store "$bad"; echo $?
            kv put a --file "$bad" --store s; echo $?
            kv get a --output "$bad" --store s; echo $?
            kv load "$bad" --store s; echo $?
            kv demo "$bad"; echo $?
            ls
            """,
            directory.Path);
        Assert.Equal("2\n2\n2\n2\n2\n", result.Output);
        Assert.Contains(@"--store is 'x\xff'; allowed: a path, in UTF-8", result.Error, StringComparison.Ordinal);
        Assert.Contains(@"DIR is 'x\xff'; allowed: a path, in UTF-8", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_become_text_and_back_without_loss()
    {
        Random random = new(31);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(12)];
            random.NextBytes(bytes);
            string text = ByteText.FromBytes(bytes);
            Assert.Equal(bytes, ByteText.ToBytes(text));
            Assert.Equal(System.Text.Unicode.Utf8.IsValid(bytes), ByteText.IsText(text));
        }

        foreach (string text in new[] { "", "a\uFFFDb", "\U0001F600\U0001F601", "é", "\u0085\u2028" })
        {
            Assert.Equal(Encoding.UTF8.GetBytes(text), ByteText.ToBytes(text));
            Assert.Equal(text, ByteText.FromBytes(Encoding.UTF8.GetBytes(text)));
            Assert.True(ByteText.IsText(text));
        }
    }

    [Fact]
    public void Arguments_are_recovered_from_the_end_of_the_command_line_or_not_at_all()
    {
        byte[] line = [.. "dotnet\0kv.dll\0get\0a"u8, 0xFF, 0, 0];
        Assert.Equal(["get", "a\uDCFF", ""], RawArguments.TryRecover(["get", "a\uFFFD", ""], line)!);
        Assert.Null(RawArguments.TryRecover(["get", "a\uFFFD", "b"], line));
        Assert.Null(RawArguments.TryRecover(["get", "b", ""], line));
        Assert.Null(RawArguments.TryRecover(["a\uFFFD"], []));
        Assert.Empty(RawArguments.TryRecover([], line)!);
    }
}
