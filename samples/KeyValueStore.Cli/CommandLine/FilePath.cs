namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>Paths on the command line. The runtime can open only files whose names are UTF-8.</summary>
internal static class FilePath
{
    /// <summary>The path that an option or argument gives.</summary>
    /// <exception cref="UsageException">It is empty, or no UTF-8.</exception>
    public static string Read(string name, string value) => value.Length > 0 && ByteText.IsText(value)
        ? value
        : throw new UsageException($"{name} is {UsageException.Quote(value)}", "a path, in UTF-8");
}
