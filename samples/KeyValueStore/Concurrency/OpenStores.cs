using System.Runtime.CompilerServices;

namespace StorageCache.KeyValueStore.Concurrency;

/// <summary>The mappings that carry a store in this process. Opening a file twice gives the same mapping, and two stores on one would destroy it.</summary>
internal static class OpenStores
{
    private static readonly ConditionalWeakTable<Mapping, object> s_claims = [];

    public static bool TryClaim(Mapping mapping) => s_claims.TryAdd(mapping, mapping.Path);

    public static void Release(Mapping mapping) => s_claims.Remove(mapping);
}
