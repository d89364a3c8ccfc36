using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>The option <c>--cache</c>.</summary>
internal static class CacheSize
{
    private const string Name = "--cache";
    private const long Default = 64L << 20;
    private const int Mebibyte = 20;

    private static readonly long s_least = KeyValueStoreOptions.LeastCacheSize(KeyValueStoreOptions.DefaultPageSize);

    /// <summary>More than the machine has (or the container is given) would end in the kernel's stopping somebody, at some other time.</summary>
    private static readonly long s_most = MachineMemory.Bytes >> Mebibyte << Mebibyte;

    private static string Range => $"{ByteSize.Format(s_least)} to {ByteSize.Format(s_most)}, the memory of this machine";

    /// <summary>The option for a command that has a default of its own when the size is 0.</summary>
    /// <param name="zeroMeans">What 0, the default, stands for.</param>
    public static Option<long> CreateOption(string zeroMeans) =>
        new LimitedOption<long>(Name, $"{Range}; 0 means {zeroMeans}", (text, out bytes) => ByteSize.TryParse(text, out bytes) && (bytes == 0 || IsInRange(bytes)))
        {
            Description = $"Memory limit of the page cache, from {ByteSize.Format(s_least)}; 0 means {zeroMeans}.",
            HelpName = "SIZE",
        };

    public static Option<long> CreateOption() =>
        new LimitedOption<long>(Name, Range, (text, out bytes) => ByteSize.TryParse(text, out bytes) && IsInRange(bytes))
        {
            Description = $"Memory limit of the page cache, from {ByteSize.Format(s_least)}; {ByteSize.Format(Default)} if not given.",
            HelpName = "SIZE",
        };

    /// <summary>The size to use with pages of a size.</summary>
    /// <param name="bytes">What was asked for; 0 if nothing was.</param>
    /// <param name="pageSize">Bytes of a page.</param>
    /// <exception cref="UsageException">It is too small for such pages.</exception>
    public static long For(long bytes, int pageSize)
    {
        long least = KeyValueStoreOptions.LeastCacheSize(pageSize);
        return bytes == 0 ? Default
            : bytes >= least ? bytes
            : throw new UsageException(
                $"{Name} is '{ByteSize.Format(bytes)}'", $"with pages of {ByteSize.Format(pageSize)}, {ByteSize.Format(least)} to {ByteSize.Format(s_most)}");
    }

    /// <summary>The size nearest to one that would be good.</summary>
    public static long Nearest(long bytes, int pageSize) => Math.Max(Math.Min(bytes, s_most), KeyValueStoreOptions.LeastCacheSize(pageSize));

    private static bool IsInRange(long bytes) => bytes >= s_least && bytes <= s_most;
}
