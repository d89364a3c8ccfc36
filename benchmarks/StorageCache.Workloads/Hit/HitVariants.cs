using StorageCache.Workloads.Hit.Loops;

namespace StorageCache.Workloads.Hit;

/// <summary>
/// The loops that are compared, in the order in which a round runs them. A lease and its bare baseline are neighbours,
/// so that what disturbs the machine disturbs both.
/// </summary>
internal sealed class HitVariants
{
    /// <summary>The name under which the figures of a shared lease given back by a <c>using</c> are kept.</summary>
    public const string ReadLeaseUsing = "read_lease_using";

    /// <summary>The name under which the dictionary's figures are kept.</summary>
    public const string Dictionary = "dictionary";

    /// <summary>The name under which the MemoryCache's figures are kept.</summary>
    public const string MemoryCache = "memory_cache";

    /// <summary>The name under which the cost of choosing pages is kept.</summary>
    public const string Sequence = "sequence";

    /// <summary>Makes the variants.</summary>
    public HitVariants(HitResident resident)
    {
        List<KeyValuePair<string, IHitLoop>> loops = [];
        foreach (LeaseKind kind in Enum.GetValues<LeaseKind>())
        {
            loops.Add(new(LeaseNames.Of(kind), Lease(kind, resident.Mapping)));
            if (resident.Bare is { } bare && kind != LeaseKind.AsyncRead)
            {
                loops.Add(new(BareOf(kind), new BareLoop(bare, kind)));
            }
        }

        loops.Add(new(ReadLeaseUsing, new ReadLeaseUsingLoop(resident.Mapping)));
        loops.Add(new(Dictionary, new DictionaryLoop(resident.Dictionary)));
        loops.Add(new(MemoryCache, new MemoryCacheLoop(resident.MemoryCache)));
        loops.Add(new(Sequence, new SequenceLoop()));
        Loops = loops;
    }

    /// <summary>The loops by name.</summary>
    public IReadOnlyList<KeyValuePair<string, IHitLoop>> Loops { get; }

    /// <summary>The name of the bare baseline of a lease. An awaited shared lease has the shared lease's.</summary>
    public static string BareOf(LeaseKind kind) => "bare " + LeaseNames.Of(kind == LeaseKind.AsyncRead ? LeaseKind.ReadLease : kind);

    private static IHitLoop Lease(LeaseKind kind, Mapping mapping) => kind switch
    {
        LeaseKind.ReadLease => new ReadLeaseLoop(mapping),
        LeaseKind.WriteLease => new WriteLeaseLoop(mapping),
        LeaseKind.Pin => new PinLoop(mapping),
        LeaseKind.Optimistic => new OptimisticLoop(mapping),
        LeaseKind.AsyncRead => new AsyncReadLoop(mapping),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
