using System.Buffers.Binary;
using StorageCache.KeyValueStore.Logging;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

/// <summary>Many lives of one log, one after the other, each ended by a crash at a random request; and what must be there in the next one.</summary>
internal sealed class LogLives
{
    private readonly Random _random;
    private readonly SectorDisk _disk = new();
    private readonly Guid _identity;
    private readonly LogOptions _options;

    /// <summary>What this log is used for: a bit of everything, one small record after the other, or records that cross segments.</summary>
    private readonly int _profile;

    /// <summary>What the log holds beyond the redo point, as far as anybody was told.</summary>
    private readonly List<(ulong Lsn, byte Kind, byte[] Payload)> _records = [];

    /// <summary>What was reported durable.</summary>
    private ulong _durable;

    /// <summary>What the caller has made durable as the redo point.</summary>
    private ulong _redoPoint;

    public LogLives(int seed, int blockBytes)
    {
        _random = new Random(seed);
        _profile = _random.Next(3);
        _identity = new Guid(seed, 1, 2, [3, 4, 5, 6, 7, 8, 9, 10]);
        _options = new LogOptions
        {
            SegmentBytes = LogOptions.LeastSegmentBytes,
            BlockBytes = blockBytes,
            BufferBytes = 64 << 10,
            MinimumSegments = 1 + _random.Next(3),
            WriteAttempts = 1,
            EpochSource = () => (ulong)_random.NextInt64(),
        };
    }

    /// <summary>Records checked to be there after crashes.</summary>
    public long Checked { get; private set; }

    public async Task RunAsync(int lives)
    {
        await using (WriteAheadLog made = await WriteAheadLog.CreateAsync(_disk, _identity, 1, _options))
        {
            _redoPoint = _durable = made.FirstLsn;
        }

        for (int life = 0; life < lives; life++)
        {
            await LiveAsync();
            if (_random.Next(5) == 0)
            {
                _disk.Restart();
            }
            else
            {
                _disk.RestoreAfterPowerLoss(_random);
            }
        }

        await using WriteAheadLog last = await WriteAheadLog.OpenAsync(_disk, _identity, _redoPoint, _options);
        await CheckAsync(last);
    }

    private async Task LiveAsync()
    {
        // Sometimes the power fails again while the log is opened.
        _disk.PowerFailsAfter = _random.Next(3) == 0 ? _random.Next(150) : _random.Next(12);
        WriteAheadLog? log = null;
        try
        {
            log = await WriteAheadLog.OpenAsync(_disk, _identity, _redoPoint, _options);
            await CheckAsync(log);
            await log.BeginAsync();
            if (_random.Next(4) == 0)
            {
                await MoveRedoPointAsync(log);
            }

            while (true)
            {
                await StepAsync(log);
            }
        }
        catch (IOException error) when (error is not LogCorruptException and not LogFormatException && _disk.IsOff)
        {
            // The end of this life.
        }
        finally
        {
            if (log is not null)
            {
                await log.DisposeAsync();
            }
        }
    }

    private async Task StepAsync(WriteAheadLog log)
    {
        byte[][] payloads = Payloads();
        await log.ReserveAsync(payloads.Sum(payload => WriteAheadLog.SizeOf(payload.Length)));
        ulong lsn = 0;
        foreach (byte[] payload in payloads)
        {
            int cut = _random.Next(payload.Length + 1);
            byte kind = (byte)_random.Next(2);
            lsn = log.Append(kind, payload.AsSpan(0, cut), payload.AsSpan(cut));
            _records.Add((lsn, kind, payload));
        }

        log.Publish();
        switch (_random.Next(8))
        {
            case 0 or 1 or 2:
                await log.EnsureWrittenAsync(lsn);
                break;
            case 3 or 4:
                await log.EnsureDurableAsync(lsn);
                _durable = Math.Max(_durable, lsn);
                Assert.True(log.DurableLsn >= lsn);
                break;
            case 5:
                // Several batches are under way when somebody wants them durable.
                ValueTask first = log.EnsureWrittenAsync(lsn);
                await log.EnsureDurableAsync(lsn);
                await first;
                _durable = Math.Max(_durable, lsn);
                break;
            case 6 when _random.Next(3) == 0:
                await MoveRedoPointAsync(log);
                break;
        }
    }

    private async Task MoveRedoPointAsync(WriteAheadLog log)
    {
        ulong redoPoint = log.NextLsn;
        await log.EnsureDurableAsync(redoPoint);

        // Behind the last record, or behind the seal that follows upon it.
        redoPoint = _random.Next(2) == 0 ? redoPoint : log.NextLsn;
        _durable = Math.Max(_durable, redoPoint);
        _redoPoint = redoPoint;
        _records.RemoveAll(record => record.Lsn <= redoPoint);
        if (_random.Next(3) != 0)
        {
            await log.RecycleBelowAsync(redoPoint);
        }
    }

    // Often the same as what another life has written, and often nothing but zeros.
    private byte[][] Payloads()
    {
        if (_profile == 1)
        {
            return [[(byte)_random.Next(2), 0, 0]];
        }

        if (_profile == 2)
        {
            return [new byte[10_000 + _random.Next(30_000)]];
        }

        byte[][] payloads = new byte[1 + _random.Next(4)][];
        for (int i = 0; i < payloads.Length; i++)
        {
            int length = _random.Next(12) switch
            {
                0 => 0,
                1 => 4096 - 80 + _random.Next(100),
                2 => _random.Next(20_000),
                3 when _random.Next(10) == 0 => 60_000 + _random.Next(30_000),
                4 or 5 => 4096,
                _ => _random.Next(300),
            };
            payloads[i] = new byte[length];
            if (length >= 4 && _random.Next(2) == 0)
            {
                BinaryPrimitives.WriteInt32LittleEndian(payloads[i], _random.Next(3));
            }
        }

        return payloads;
    }

    private async Task CheckAsync(WriteAheadLog log)
    {
        int count = 0;
        for (int pass = 0; pass < 2; pass++)
        {
            count = 0;
            await foreach (LogRecord record in log.ReadAsync())
            {
                Assert.True(count < _records.Count, "There is a record that nobody has appended.");
                (ulong lsn, byte kind, byte[] payload) = _records[count++];
                Assert.Equal(lsn, record.Lsn);
                Assert.Equal(kind, record.Kind);
                Assert.True(payload.AsSpan().SequenceEqual(record.Payload.Span), "A record is not what was appended.");
            }
        }

        if (count < _records.Count)
        {
            Assert.True(_records[count].Lsn > _durable, $"LSN {_records[count].Lsn} is gone, and {_durable} was durable.");
        }

        // From now on what was read is there for good: the log has said so.
        Checked += count;
        _records.RemoveRange(count, _records.Count - count);
        _durable = Math.Max(_durable, log.DurableLsn);
    }
}
