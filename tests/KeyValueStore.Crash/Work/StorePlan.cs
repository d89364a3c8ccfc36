namespace StorageCache.KeyValueStore.Crash.Work;

/// <summary>A store that a worker is to use.</summary>
/// <param name="Name">Its file's name.</param>
/// <param name="IsNew">Whether it may have to be made.</param>
/// <param name="Durability">What its changes wait for.</param>
internal sealed record StorePlan(string Name, bool IsNew, KeyValueDurability Durability);
