namespace StorageCache.KeyValueStore;

/// <summary>What a change of a store waits for before it returns.</summary>
public enum KeyValueDurability
{
    /// <summary>Its log record is on stable storage: the change survives a power loss. Changes at the same time share one flush of the device.</summary>
    Durable,

    /// <summary>
    /// Its log record has been handed to the kernel: the change survives the end of the process, however it ends. A power loss may take the changes
    /// since the last flush, the latest first, whole: see <see cref="KeyValueStoreOptions.FlushInterval"/>.
    /// </summary>
    Written,
}
