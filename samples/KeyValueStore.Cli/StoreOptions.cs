using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli;

/// <summary>The options by which a command opens its store.</summary>
internal sealed class StoreOptions
{
    private const long DefaultCacheSize = 64L << 20;

    public StoreOptions(Command command)
    {
        command.Add(Store);
        command.Add(CacheSize);
        command.Add(PageSize);
    }

    public Option<string> Store { get; } = new("--store")
    {
        Description = "The store's file.",
        HelpName = "FILE",
        Required = true,
    };

    public Option<long> CacheSize { get; } = ByteSize.Option(
        "--cache", "Memory limit of the page cache, from 2M.", 2L << 20, 1L << 40, DefaultCacheSize);

    public Option<long> PageSize { get; } = CreatePageSize();

    public static Option<long> CreatePageSize()
    {
        Option<long> option = ByteSize.Option(
            "--page-size", "Page size: 4K, 8K, 16K, 32K or 64K; 0 means the file's own, 4K for a new one.", 0, 65536, 0);
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValue(option) is var size and not (0 or 4096 or 8192 or 16384 or 32768 or 65536))
            {
                result.AddError($"{size} is no page size: it is 4K, 8K, 16K, 32K or 64K.");
            }
        });
        return option;
    }

    /// <summary>Opens the store that the command line names.</summary>
    public ValueTask<KeyValueStore> OpenAsync(ParseResult parsed, MappingMode mode, bool readOnly, CancellationToken cancellationToken)
    {
        KeyValueStoreOptions options = new()
        {
            Mode = mode,
            ReadOnly = readOnly,
            CacheSize = parsed.GetValue(CacheSize),
            PageSize = (int)parsed.GetValue(PageSize),
        };
        return KeyValueStore.OpenAsync(parsed.GetRequiredValue(Store), options, cancellationToken);
    }
}
