using StorageCache.KeyValueStore.Cli.CommandLine;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>Whatever is wrong with a command line, the answer says which option, which value, and what is allowed.</summary>
public class OptionTests
{
    [Theory]
    [InlineData("get a --store s --cache 1M", "--cache is '1M'; allowed: 2M to ")]
    [InlineData("get a --store s --cache 5X", "--cache is '5X'; allowed: 2M to ")]
    [InlineData("get a --store s --cache 8000T", "--cache is '8000T'; allowed: 2M to ")]
    [InlineData("get a --store s --cache 99999999T", "--cache is '99999999T'; allowed: 2M to ")]
    [InlineData("get a --store s --cache -1", "--cache is '-1'; allowed: 2M to ")]
    [InlineData("get a --store s --cache", "--cache has no value; allowed: 2M to ")]
    [InlineData("get a --store s --cache 2M --cache 3M", "--cache has 2 values; allowed: one.")]
    [InlineData("get a --cache --store s", "--cache is '--store'; allowed: 2M to ")]
    [InlineData("put a b --store s --page-size 64K --cache 2M", "--cache is '2M'; allowed: with pages of 64K, 8M to ")]
    [InlineData("put a b --store s --page-size 5000", "--page-size is '5000'; allowed: 4K, 8K, 16K, 32K or 64K; 0 means")]
    [InlineData("put a b --store s --page-size x", "--page-size is 'x'; allowed: 4K, 8K")]
    [InlineData("put a b --store s --file f", "the value is given twice, as VALUE and with --file; allowed: one of them.")]
    [InlineData("scan --store s --limit -1", "--limit is '-1'; allowed: a number of entries, 0 or more.")]
    [InlineData("scan --store s --limit many", "--limit is 'many'; allowed: a number of entries, 0 or more.")]
    [InlineData("scan --store s --from b --to a", "--from is 'b' and --to is 'a'; allowed: --from not greater than --to")]
    [InlineData("scan --store s --reverse true", "'true' is no word of 'scan'; allowed: --from, --to, --reverse,")]
    [InlineData("demo --cache 1M", "--cache is '1M'; allowed: 2M to ")]
    [InlineData("demo --cache 9999999G", "--cache is '9999999G'; allowed: 2M to ")]
    [InlineData("demo . --page-size 64K --cache 2M", "--cache is '2M'; allowed: with pages of 64K, 8M to ", false)]
    [InlineData("get --store s", "KEY is missing; allowed: the key, 0 to 1,024 bytes.")]
    [InlineData("get a", "--store is missing; allowed: the store's file.")]
    [InlineData("get a b --store s", "'b' is no word of 'get'; allowed: KEY, --output,")]
    [InlineData("", "the command is missing; allowed: load, put, get, delete, scan, check, stats, clone, demo.")]
    public void Every_wrong_option_is_named_with_its_value_and_what_is_allowed(string line, string message, bool outputIsEmpty = true)
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string[] arguments = [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word == "s" ? store : word == "." ? directory.Path : word)];
        Kv.AssertFails(2, message, arguments, outputIsEmpty);
        Assert.False(File.Exists(store));
    }

    [Fact]
    public void A_page_size_or_cache_that_does_not_suit_the_store_is_refused_as_an_option()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        Assert.Equal(0, Kv.Run(["put", "a", "b", "--page-size", "64K", "--store", store]).ExitCode);
        Kv.AssertFails(2, "--page-size is '4K'; allowed: 64K, which the store has, or 0.", ["get", "a", "--page-size", "4096", "--store", store]);
        Kv.AssertFails(2, "--cache is '7M'; allowed: with pages of 64K, 8M to ", ["get", "a", "--cache", "7M", "--store", store]);
        Assert.Equal("b", Kv.Run(["get", "a", "--cache", "8M", "--page-size", "0", "--store", store]).Output);
    }

    [Fact]
    public void A_value_too_long_is_refused_with_where_it_comes_from()
    {
        using TemporaryDirectory directory = new();
        string store = directory.File();
        string large = directory.File("large");
        using (FileStream file = File.Create(large))
        {
            file.SetLength(KeyValueStore.MaximumValueLength + 1L);
        }

        Kv.AssertFails(2, $"the value from '{large}' is too long; allowed: 0 to 67108864 bytes.", ["put", "a", "--file", large, "--store", store]);
        KvResult piped = Kv.RunShell("kv put a --store \"$1\" < \"$2\"", store, large);
        Assert.Equal(2, piped.ExitCode);
        Assert.Contains("the value from stdin is too long; allowed: 0 to 67108864 bytes.", piped.Error, StringComparison.Ordinal);
        Kv.AssertFails(1, "'a' is not in the store", ["get", "a", "--store", store]);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("65536", 65536)]
    [InlineData("64K", 65536)]
    [InlineData("3m", 3L << 20)]
    [InlineData("2G", 2L << 30)]
    [InlineData("1T", 1L << 40)]
    [InlineData("8388607T", 8388607L << 40)]
    [InlineData("8388608T", -1)]
    [InlineData("9223372036854775808", -1)]
    [InlineData("K", -1)]
    [InlineData("", -1)]
    [InlineData(" 1K", -1)]
    [InlineData("1.5G", -1)]
    [InlineData("+1", -1)]
    public void Sizes_are_read_and_printed_alike(string text, long bytes)
    {
        Assert.Equal(bytes >= 0, ByteSize.TryParse(text, out long size));
        if (bytes >= 0)
        {
            Assert.Equal(bytes, size);
            Assert.True(ByteSize.TryParse(ByteSize.Format(size), out long again));
            Assert.Equal(size, again);
        }
    }
}
