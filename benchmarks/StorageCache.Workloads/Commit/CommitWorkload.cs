using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using StorageCache.KeyValueStore;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Commit;

/// <summary>How many durable changes a second a store makes, for one committer and for many at once: what group commit is for.</summary>
internal sealed class CommitWorkload : IWorkload
{
    private const int Many = 64;
    private const int ValueLength = 100;
    private const long CacheBytes = 64L << 20;

    /// <inheritdoc/>
    public string Name => "commit";

    /// <inheritdoc/>
    public string Description => $"durable puts of a key-value store: one committer, and {Many} at once on the same disk";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        int rounds = context.Rounds(quickRounds: 5, fullRounds: 11);
        TimeSpan duration = TimeSpan.FromSeconds(context.Quick ? 1 : 3);
        string directory = Directory.CreateTempSubdirectory("storagecache-commit-").FullName;
        try
        {
            string path = Path.Combine(directory, "store");
            await using KeyValueStore.KeyValueStore store = await KeyValueStore.KeyValueStore.OpenAsync(
                path, new KeyValueStoreOptions { Mode = MappingMode.CreateNew, CacheSize = CacheBytes }, context.CancellationToken);
            RoundSamples one = new();
            RoundSamples many = new();
            RoundSamples perFlushOfOne = new();
            RoundSamples perFlush = new();
            await CommitAsync(store, Many, duration, context.CancellationToken);
            for (int round = 0; round < rounds; round++)
            {
                (double commits, double shared) = await CommitAsync(store, 1, duration, context.CancellationToken);
                one.Add(commits);
                perFlushOfOne.Add(shared);
                (commits, shared) = await CommitAsync(store, Many, duration, context.CancellationToken);
                many.Add(commits);
                perFlush.Add(shared);
            }

            Report report = context.Report;
            string name = string.Create(CultureInfo.InvariantCulture, $"commit.{Many}");
            report.Add("commit.1.per_second", one, "1/s");
            report.Add("commit.1.per_flush", perFlushOfOne, "commits");
            report.Add($"{name}.per_second", many, "1/s");
            report.Add($"{name}.per_flush", perFlush, "commits");
            report.Add($"{name}.ratio_to_1", RoundSamples.Ratio(many, one), "ratio", Target.AtLeast(8));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Has committers put for a while.</summary>
    /// <returns>Commits a second, and commits for each flush of the log.</returns>
    private static async Task<(double PerSecond, double PerFlush)> CommitAsync(
        KeyValueStore.KeyValueStore store, int committers, TimeSpan duration, CancellationToken cancellationToken)
    {
        KeyValueStoreStatistics before = store.GetStatistics();
        long began = Stopwatch.GetTimestamp();
        long[] counts = await Task.WhenAll(Enumerable.Range(0, committers).Select(committer => Task.Run(
            async () =>
            {
                byte[] key = new byte[8];
                byte[] value = new byte[ValueLength];
                long count = 0;
                while (Stopwatch.GetElapsedTime(began) < duration)
                {
                    BinaryPrimitives.WriteInt32BigEndian(key, committer);
                    BinaryPrimitives.WriteInt32BigEndian(key.AsSpan(4), (int)(count % 1000));
                    BinaryPrimitives.WriteInt64LittleEndian(value, count);
                    await store.PutAsync(key, value, cancellationToken).ConfigureAwait(false);
                    count++;
                }

                return count;
            },
            cancellationToken))).ConfigureAwait(false);
        double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
        long flushes = Math.Max(1, store.GetStatistics().LogFlushes - before.LogFlushes);
        return (counts.Sum() / seconds, (double)counts.Sum() / flushes);
    }
}
