using System.Globalization;

namespace StorageCache.KeyValueStore.Cli;

/// <summary>Opens stores. One that was not closed recovers, also where it was only to be read, and stderr says so.</summary>
internal static class StoreRecovery
{
    public static async ValueTask<KeyValueStore> OpenAsync(string path, KeyValueStoreOptions options, CancellationToken cancellationToken)
    {
        KeyValueStore store;
        try
        {
            store = await KeyValueStore.OpenAsync(path, options, cancellationToken);
        }
        catch (StoreNotCleanException exception) when (options.ReadOnly && exception.CanRecover)
        {
            store = await KeyValueStore.OpenAsync(path, options with { ReadOnly = false }, cancellationToken);
        }

        if (store.Recovery is { WasNeeded: true } recovery)
        {
            ErrorReporting.Warn(string.Create(
                CultureInfo.InvariantCulture,
                $"'{store.Path}' had not been closed; {recovery.Commits:N0} changes were recovered from {recovery.LogBytes:N0} bytes of log in {recovery.Duration.TotalSeconds:F2} s"));
        }

        return store;
    }
}
