using StorageCache.Workloads.Hit;
using StorageCache.Workloads.Hit.Loops;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Protect;

/// <summary>Hits on mappings that share, beside the same hits on one that does not, in turns.</summary>
internal static class HitComparison
{
    /// <summary>The variant that all others are divided by.</summary>
    public const string Off = "off";

    /// <summary>A second mapping that does not share: how far two equal variants lie apart.</summary>
    public const string Control = "control";

    private static readonly (string Name, Func<Mapping, IHitLoop> Loop, bool Writes)[] s_leases =
    [
        ("read_lease", mapping => new ReadLeaseLoop(mapping), false),
        ("write_lease", mapping => new WriteLeaseLoop(mapping), true),
        ("optimistic", mapping => new OptimisticLoop(mapping), false),
    ];

    /// <summary>The kinds of lease that are compared.</summary>
    public static IEnumerable<string> Leases => s_leases.Select(lease => lease.Name);

    /// <summary>The variants that are compared with <see cref="Off"/>.</summary>
    public static IEnumerable<string> Variants => ["extents", "content"];

    /// <summary>Name of a variant's time.</summary>
    public static string NameOf(string pattern, string lease, string variant) => $"protect.hit.{pattern}.{lease}.{variant}_ns";

    /// <summary>Brings the loops to their final machine code.</summary>
    public static void WarmUp(SharingMappings mappings, PagePattern pattern)
    {
        for (int pass = 0; pass < 5; pass++)
        {
            foreach ((_, Func<Mapping, IHitLoop> loop, bool writes) in s_leases)
            {
                foreach ((_, Mapping mapping) in VariantsOf(mappings, writes))
                {
                    IHitLoop ready = loop(mapping);
                    for (int call = 0; call < 40; call++)
                    {
                        ready.Run(pattern.Sequences[0], 0, 1024);
                    }
                }
            }

            // The runtime compiles again, optimised for what it saw, a while after.
            Thread.Sleep(250);
        }
    }

    /// <summary>
    /// Measures every variant in every round, over the same pages, forwards and then backwards; a figure is the less of the two, for
    /// whatever else the machine does can only add to it.
    /// </summary>
    /// <exception cref="WorkloadFailedException">A loop did not touch the pages it was asked for, or one was missing.</exception>
    public static void Measure(SharingMappings mappings, PagePattern pattern, int rounds, int batches, NamedSamples samples)
    {
        long misses = mappings.Misses;
        using HitWorkers workers = new(pattern.Sequences.Length);
        for (int round = 0; round < rounds; round++)
        {
            foreach ((string lease, Func<Mapping, IHitLoop> loop, bool writes) in s_leases)
            {
                (string Name, Mapping Mapping)[] variants = VariantsOf(mappings, writes);

                // Whoever begins is another one each time.
                variants = [.. variants[(round % variants.Length)..], .. variants[..(round % variants.Length)]];
                Dictionary<string, double> least = [];
                foreach ((string variant, Mapping mapping) in variants.Concat(variants.Reverse()))
                {
                    HitJob job = new(loop(mapping), pattern, HitJob.BatchSize, batches);
                    HitMeasurement measured = workers.Run(job);
                    if (measured.Sum != job.ExpectedSum)
                    {
                        throw new WorkloadFailedException($"{lease} summed to {measured.Sum} in {pattern.Name}, not to {job.ExpectedSum}");
                    }

                    least[variant] = Math.Min(measured.Nanoseconds, least.GetValueOrDefault(variant, double.MaxValue));
                }

                foreach ((string variant, double nanoseconds) in least)
                {
                    samples.Add(NameOf(pattern.Name, lease, variant), nanoseconds);
                }
            }
        }

        if (mappings.Misses != misses)
        {
            throw new WorkloadFailedException($"{mappings.Misses - misses} misses, where every page is resident");
        }
    }

    private static (string Name, Mapping Mapping)[] VariantsOf(SharingMappings mappings, bool writes) =>
    [
        (Off, mappings.Off),
        ("extents", mappings.Extents),
        ("content", writes ? mappings.ContentWritten : mappings.Content),
        (Control, mappings.Control),
    ];
}
