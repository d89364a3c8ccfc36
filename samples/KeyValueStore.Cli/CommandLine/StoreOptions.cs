using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>The options by which a command opens its store.</summary>
internal sealed class StoreOptions
{
    public StoreOptions(Command command)
    {
        command.Add(Store);
        command.Add(Cache);
        command.Add(PageSize);
    }

    public Option<string> Store { get; } = new("--store")
    {
        Description = "The store's file.",
        HelpName = "FILE",
        Required = true,
    };

    public Option<long> Cache { get; } = CacheSize.CreateOption();

    public Option<int> PageSize { get; } = CreatePageSize();

    public static Option<int> CreatePageSize()
    {
        const string Allowed = "4K, 8K, 16K, 32K or 64K; 0 means the file's own, 4K for a new one";
        return new LimitedOption<int>("--page-size", Allowed, TryReadPageSize) { Description = $"Page size: {Allowed}.", HelpName = "SIZE" };
    }

    /// <summary>What each change waits for.</summary>
    public KeyValueDurability Durability { get; init; } = KeyValueDurability.Durable;

    /// <summary>The store's path.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    public string PathOf(ParseResult parsed) => FilePath.Read(Store.Name, parsed.GetRequiredValue(Store));

    /// <summary>Opens the store that the command line names.</summary>
    /// <exception cref="UsageException">The path is none, the store's pages have another size, or the cache is too small for them.</exception>
    public ValueTask<KeyValueStore> OpenAsync(ParseResult parsed, MappingMode mode, bool readOnly, CancellationToken cancellationToken)
    {
        string path = PathOf(parsed);
        int asked = parsed.GetValue(PageSize);
        int? stored = KeyValueStore.GetPageSize(path);
        if (asked != 0 && stored is { } size && size != asked)
        {
            throw new UsageException($"{PageSize.Name} is '{ByteSize.Format(asked)}'", $"{ByteSize.Format(size)}, which the store has, or 0");
        }

        int pageSize = stored ?? (asked != 0 ? asked : KeyValueStoreOptions.DefaultPageSize);
        KeyValueStoreOptions options = new()
        {
            Mode = mode,
            ReadOnly = readOnly,
            CacheSize = CacheSize.For(parsed.GetValue(Cache), pageSize),
            PageSize = pageSize,
            Durability = Durability,
        };
        return StoreRecovery.OpenAsync(path, options, cancellationToken);
    }

    private static bool TryReadPageSize(string text, out int pageSize)
    {
        bool isSize = ByteSize.TryParse(text, out long bytes) && bytes is 0 or 4096 or 8192 or 16384 or 32768 or 65536;
        pageSize = isSize ? (int)bytes : 0;
        return isSize;
    }
}
