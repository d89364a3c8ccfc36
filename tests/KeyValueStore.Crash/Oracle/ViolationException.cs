namespace StorageCache.KeyValueStore.Crash.Oracle;

/// <summary>A store has broken a promise.</summary>
internal sealed class ViolationException(string message) : Exception(message);
