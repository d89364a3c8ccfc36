using System.Buffers.Binary;
using System.Globalization;
using StorageCache.KeyValueStore;
using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Recovery;

/// <summary>
/// How long opening a store takes that was cut off, with a lot of log and with as much as a smaller checkpoint setting leaves: recovery is bounded by it.
/// </summary>
/// <remarks>A store is cut off by copying its files while it is open, the pages first: what a crash would have left at that moment.</remarks>
internal sealed class RecoveryWorkload : IWorkload
{
    private const int ValueLength = 1000;
    private const long CacheBytes = 256L << 20;

    /// <inheritdoc/>
    public string Name => "recovery";

    /// <inheritdoc/>
    public string Description => "opening a key-value store that was cut off, by bytes of log since its last checkpoint";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        int rounds = context.Rounds(quickRounds: 3, fullRounds: 5);
        long most = context.Quick ? 256L << 20 : 1L << 30;
        foreach (long interval in new[] { most, most / 4, most / 16 })
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"recovery.{interval >> 20}m");
            RoundSamples seconds = new();
            RoundSamples log = new();
            RoundSamples commits = new();
            for (int round = 0; round < rounds; round++)
            {
                RecoveryReport recovery = await MeasureAsync(interval, most, round, context.CancellationToken);
                seconds.Add(recovery.Duration.TotalSeconds);
                log.Add(recovery.LogBytes / (double)(1 << 20));
                commits.Add(recovery.Commits);
            }

            context.Report.Add($"{name}.seconds", seconds, "s");
            context.Report.Add($"{name}.log_mib", log, "MiB", Target.AtMost(2.0 * interval / (1 << 20)));
            context.Report.Add($"{name}.commits", commits, "commits");
        }
    }

    private static async Task<RecoveryReport> MeasureAsync(long interval, long total, int seed, CancellationToken cancellationToken)
    {
        string directory = Directory.CreateTempSubdirectory("storagecache-recovery-").FullName;
        try
        {
            string path = Path.Combine(directory, "store");
            string copy = Path.Combine(directory, "copy");
            KeyValueStoreOptions options = new() { CacheSize = CacheBytes, CheckpointBytes = interval, Durability = KeyValueDurability.Written };
            await using (KeyValueStore.KeyValueStore store = await KeyValueStore.KeyValueStore.OpenAsync(path, options, cancellationToken))
            {
                await FillAsync(store, total - (interval / 32), seed, cancellationToken);
                await store.FlushAsync(cancellationToken);
                ProgramRun.Run("cp", path, copy);
                ProgramRun.Run("cp", path + ".log", copy + ".log");
            }

            await using KeyValueStore.KeyValueStore recovered = await KeyValueStore.KeyValueStore.OpenAsync(copy, options, cancellationToken);
            return recovered.Recovery.WasNeeded
                ? recovered.Recovery
                : throw new WorkloadFailedException("a store that was cut off had nothing to recover");
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    /// <summary>Puts at random until so much has been logged.</summary>
    private static async Task FillAsync(KeyValueStore.KeyValueStore store, long logBytes, int seed, CancellationToken cancellationToken)
    {
        Random random = new(seed);
        byte[] key = new byte[8];
        byte[] value = new byte[ValueLength];
        long logged = 0;
        long last = 0;
        while (logged < logBytes)
        {
            for (int i = 0; i < 1000; i++)
            {
                BinaryPrimitives.WriteInt64BigEndian(key, random.Next(1 << 20));
                random.NextBytes(value.AsSpan(0, 16));
                await store.PutAsync(key, value, cancellationToken);
            }

            long now = store.GetStatistics().LogBytes;
            logged += now >= last ? now - last : now;
            last = now;
        }
    }
}
