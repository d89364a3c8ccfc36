namespace StorageCache.KeyValueStore.Crash.Disks;

/// <summary>A disk cannot be had, or be made to do what is asked of it, here.</summary>
internal sealed class DiskException(string message) : Exception(message);
