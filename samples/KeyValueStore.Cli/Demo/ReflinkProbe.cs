namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>Finds out whether files in a directory can be reflinks of each other, by making one.</summary>
internal static class ReflinkProbe
{
    /// <returns>Why they cannot, as a sentence; null if they can.</returns>
    public static async Task<string?> WhyNotAsync(string directory, CancellationToken cancellationToken)
    {
        // Stores have a log beside them.
        string source = Path.Combine(directory, "probe");
        string clone = Path.Combine(directory, "probe.clone");
        KeyValueStoreOptions options = new() { Mode = MappingMode.CreateNew, CacheSize = KeyValueStoreOptions.LeastCacheSize(KeyValueStoreOptions.DefaultPageSize) };
        try
        {
            await using KeyValueStore store = await KeyValueStore.OpenAsync(source, options, cancellationToken);
            KeyValueStoreClone made = await store.CloneAsync(clone, cancellationToken);
            await made.Store.CloseAsync();
            return made.WhyNot;
        }
        finally
        {
            foreach (string file in Directory.GetFiles(directory, "probe*"))
            {
                File.Delete(file);
            }
        }
    }
}
