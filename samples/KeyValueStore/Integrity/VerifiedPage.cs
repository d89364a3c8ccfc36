namespace StorageCache.KeyValueStore.Integrity;

/// <summary>A page that had its checksum at one moment. For as long as the look at it is valid, it still has.</summary>
internal sealed record VerifiedPage(long Page, OptimisticRead Look);
