using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Hit;

/// <summary>Measures all variants with one pattern, in rounds, and reports them.</summary>
internal sealed class HitBlock
{
    private readonly PagePattern _pattern;
    private readonly HitVariants _variants;
    private readonly Dictionary<string, RoundSamples> _nanoseconds = [];
    private readonly Dictionary<string, RoundSamples> _allocated = [];

    /// <summary>Prepares a block.</summary>
    public HitBlock(PagePattern pattern, HitVariants variants)
    {
        _pattern = pattern;
        _variants = variants;
        foreach ((string name, _) in variants.Loops)
        {
            _nanoseconds[name] = new RoundSamples();
            _allocated[name] = new RoundSamples();
        }
    }

    /// <summary>
    /// Runs every variant once per round over the same part of the sequence. Every other round runs them backwards, so
    /// that none always follows the same neighbour. A first round is not counted: it pays for the first touch.
    /// </summary>
    public void Measure(int rounds, int batches)
    {
        using HitWorkers workers = new(_pattern.Sequences.Length);
        for (int round = -1; round < rounds; round++)
        {
            bool isOdd = int.IsOddInteger(round);
            int first = HitJob.BatchSize * (isOdd ? 1 + batches : 1);
            IEnumerable<KeyValuePair<string, IHitLoop>> loops = isOdd ? _variants.Loops.Reverse() : _variants.Loops;
            foreach ((string name, IHitLoop loop) in loops)
            {
                HitJob job = new(loop, _pattern, first, batches);
                HitMeasurement measured = workers.Run(job);
                if (measured.Sum != job.ExpectedSum)
                {
                    throw new WorkloadFailedException($"{name} summed to {measured.Sum} in {_pattern.Name}, not to {job.ExpectedSum}: it did not touch the pages it was asked for.");
                }

                if (round >= 0)
                {
                    _nanoseconds[name].Add(measured.Nanoseconds);
                    _allocated[name].Add(measured.AllocatedBytes);
                }
            }
        }
    }

    /// <summary>Adds the block's metrics.</summary>
    public void Report(Report report)
    {
        string block = $"hit.{_pattern.Name}";
        foreach (LeaseKind kind in Enum.GetValues<LeaseKind>())
        {
            string lease = LeaseNames.Of(kind);
            report.Add($"{block}.{lease}.ns", _nanoseconds[lease], "ns");
            if (_nanoseconds.TryGetValue(HitVariants.BareOf(kind), out RoundSamples? bare))
            {
                report.Add($"{block}.{lease}.bare_ns", bare, "ns");
                report.Add($"{block}.{lease}.ratio_to_bare", RoundSamples.Ratio(_nanoseconds[lease], bare), "ratio", BareTarget(kind));
            }

            report.Add($"{block}.{lease}.alloc_bytes", _allocated[lease], "bytes", Target.Exactly(0));
        }

        report.Add($"{block}.read_lease_using.ns", _nanoseconds[HitVariants.ReadLeaseUsing], "ns");
        RoundSamples dictionary = _nanoseconds[HitVariants.Dictionary];
        report.Add($"{block}.dictionary.ns", dictionary, "ns");
        foreach (LeaseKind kind in Enum.GetValues<LeaseKind>())
        {
            string lease = LeaseNames.Of(kind);
            report.Add($"{block}.dictionary.ratio_to_{lease}", RoundSamples.Ratio(dictionary, _nanoseconds[lease]), "ratio", DictionaryTarget(kind));
        }

        report.Add($"{block}.memory_cache.ns", _nanoseconds[HitVariants.MemoryCache], "ns");
        report.Add($"{block}.memory_cache.alloc_bytes", _allocated[HitVariants.MemoryCache], "bytes");
        report.Add($"{block}.sequence.ns", _nanoseconds[HitVariants.Sequence], "ns");
    }

    private static Target? BareTarget(LeaseKind kind) =>
        kind is LeaseKind.ReadLease or LeaseKind.Optimistic ? Target.AtMost(1.5) : null;

    // Over a set that fits the first-level cache a look-up without a latch is bound to win: there is no memory to save.
    private Target? DictionaryTarget(LeaseKind kind) =>
        kind is LeaseKind.ReadLease && !_pattern.Name.StartsWith("10kb", StringComparison.Ordinal) ? Target.AtLeast(1.2) : null;
}
