using StorageCache.Workloads.Hit.Bare;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>The same slots, look-up and lease in plain C; one P/Invoke for the whole part of the sequence.</summary>
internal sealed class BareLoop(BareCache cache, LeaseKind kind) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count) => cache.Run(kind, pages.AsSpan(first, count));
}
