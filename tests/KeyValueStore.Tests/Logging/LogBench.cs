using StorageCache.IO;
using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore.Tests.Logging;

/// <summary>A log on a disk of the test's, with shorthands.</summary>
internal static class LogBench
{
    public static readonly Guid Identity = new("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");

    public static readonly LogOptions Options = new()
    {
        SegmentBytes = LogOptions.LeastSegmentBytes,
        BufferBytes = 64 << 10,
        MinimumSegments = 2,
        WriteRetryDelay = TimeSpan.Zero,
    };

    public static Task<WriteAheadLog> CreateAsync(IBlockDevice disk, LogOptions? options = null) =>
        WriteAheadLog.CreateAsync(disk, Identity, 1, options ?? Options);

    /// <summary>A new log that takes records.</summary>
    public static async Task<WriteAheadLog> StartAsync(IBlockDevice disk, LogOptions? options = null)
    {
        WriteAheadLog log = await CreateAsync(disk, options);
        await log.BeginAsync();
        return log;
    }

    public static Task<WriteAheadLog> OpenAsync(IBlockDevice disk, ulong redoPoint = 0, LogOptions? options = null) =>
        WriteAheadLog.OpenAsync(disk, Identity, redoPoint, options ?? Options);

    /// <summary>A group of one record.</summary>
    public static async Task<ulong> AppendAsync(this WriteAheadLog log, byte[] payload, byte kind = 1)
    {
        await log.ReserveAsync(WriteAheadLog.SizeOf(payload.Length));
        ulong lsn = log.Append(kind, payload);
        log.Publish();
        return lsn;
    }

    /// <summary>A group of one record, durably.</summary>
    public static async Task<ulong> CommitAsync(this WriteAheadLog log, byte[] payload)
    {
        ulong lsn = await log.AppendAsync(payload);
        await log.EnsureDurableAsync(lsn);
        return lsn;
    }

    public static async Task<List<byte[]>> PayloadsAsync(this WriteAheadLog log)
    {
        List<byte[]> payloads = [];
        await foreach (LogRecord record in log.ReadAsync())
        {
            payloads.Add(record.Payload.ToArray());
        }

        return payloads;
    }

    public static byte[] Payload(int seed, int length)
    {
        byte[] payload = new byte[length];
        new Random(seed).NextBytes(payload);
        return payload;
    }
}
