using StorageCache.IO;

namespace StorageCache.KeyValueStore.Tests.Logging;

/// <summary>
/// A disk of 512-byte sectors. What is written lies in a volatile cache until the next flush; when the power fails, any version that a sector has
/// had since then may be the one that is there afterwards, whatever its neighbours do. Faults and delays are the test's.
/// </summary>
internal sealed class SectorDisk : IBlockDevice
{
    public const int SectorBytes = 512;

    private readonly Lock _lock = new();
    private readonly List<BlockRequest> _held = [];

    /// <summary>What survives for certain.</summary>
    private byte[] _durable = [];
    private long _durableLength;

    /// <summary>What is read now.</summary>
    private byte[] _current = [];
    private long _length;

    /// <summary>What sectors have held since the last flush, in order.</summary>
    private Dictionary<long, List<byte[]>> _versions = [];
    private bool _off;
    private bool _holds;

    public string Name { get; init; } = "store.log";

    public int Alignment { get; set; } = SectorBytes;

    public bool IsReadOnly { get; set; }

    /// <summary>Asked before each request: an exception fails it.</summary>
    public Func<BlockRequest, IOException?>? Fault { get; set; }

    /// <summary>Asked of each write that has failed: how many of its bytes were written all the same.</summary>
    public Func<BlockRequest, int>? TornAt { get; set; }

    /// <summary>Bytes that the disk can have.</summary>
    public long Capacity { get; set; } = long.MaxValue;

    /// <summary>The power fails at this write or flush from now: 0 for the next one; negative for never.</summary>
    public long PowerFailsAfter { get; set; } = -1;

    /// <summary>Whether changes of length fail.</summary>
    public bool RefusesLength { get; set; }

    public int Reads { get; private set; }

    public int Writes { get; private set; }

    public int Flushes { get; private set; }

    public bool IsOff => _off;

    public long Length
    {
        get
        {
            lock (_lock)
            {
                return LengthOf?.Invoke(_length) ?? _length;
            }
        }
    }

    /// <summary>What the disk says of its length; null for the truth.</summary>
    public Func<long, long>? LengthOf { get; set; }

    /// <summary>What is read now; changes of it are decay.</summary>
    public byte[] Bytes => _current;

    public int HeldCount
    {
        get
        {
            lock (_lock)
            {
                return _held.Count;
            }
        }
    }

    /// <summary>From now on requests wait.</summary>
    public void Hold()
    {
        lock (_lock)
        {
            _holds = true;
        }
    }

    /// <summary>Lets the requests that wait go, and later ones too unless they are to wait.</summary>
    public void Release(bool goOnHolding = false)
    {
        BlockRequest[] held;
        lock (_lock)
        {
            held = [.. _held];
            _held.Clear();
            _holds = goOnHolding;
        }

        foreach (BlockRequest request in held)
        {
            Run(request);
        }
    }

    public void Submit(BlockRequest request)
    {
        lock (_lock)
        {
            if (_holds)
            {
                _held.Add(request);
                return;
            }
        }

        Run(request);
    }

    public void Execute(BlockRequest request) => Run(request);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_off || RefusesLength || length > Capacity)
            {
                return ValueTask.FromException(new IOException(_off ? "no power" : "no room"));
            }

            SetLength(length);
            return ValueTask.CompletedTask;
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Everything that was written is there, as after the end of a process.</summary>
    public void Restart()
    {
        lock (_lock)
        {
            _off = false;
            PowerFailsAfter = -1;
        }
    }

    /// <summary>The power is back; what was not flushed is there in part.</summary>
    public void RestoreAfterPowerLoss(Random random)
    {
        lock (_lock)
        {
            int style = random.Next(4);
            long length = random.Next(2) == 0 ? _length : _durableLength;
            byte[] bytes = new byte[Math.Max(_durable.Length, _current.Length)];
            _durable.AsSpan().CopyTo(bytes);
            foreach ((long sector, List<byte[]> versions) in _versions)
            {
                int kept = style switch
                {
                    0 => -1,
                    1 => versions.Count - 1,
                    2 => random.Next(10) == 0 ? -1 : versions.Count - 1,
                    _ => random.Next(-1, versions.Count),
                };
                if (kept >= 0)
                {
                    versions[kept].CopyTo(bytes, sector * SectorBytes);
                }
            }

            bytes.AsSpan((int)length).Clear();
            _current = bytes;
            _length = length;
            FlushAll();
            _off = false;
            PowerFailsAfter = -1;
        }
    }

    /// <summary>All that was written since the last flush is gone: what is read from now on is what was before.</summary>
    public void LoseWrites()
    {
        lock (_lock)
        {
            foreach (long sector in _versions.Keys)
            {
                long offset = sector * SectorBytes;
                _current.AsSpan((int)offset, SectorBytes).Clear();
                if (offset < _durable.Length)
                {
                    _durable.AsSpan((int)offset, SectorBytes).CopyTo(_current.AsSpan((int)offset));
                }
            }

            _versions = [];
        }
    }

    /// <summary>Cuts the file.</summary>
    public void Cut(long length)
    {
        SetLength(length);
        FlushAll();
    }

    /// <summary>A disk with the same bytes.</summary>
    public SectorDisk Copy()
    {
        SectorDisk copy = new() { _current = [.. _current], _length = _length, Alignment = Alignment };
        copy.FlushAll();
        return copy;
    }

    private void Run(BlockRequest request)
    {
        IOException? error;
        int done = 0;
        lock (_lock)
        {
            error = _off ? new IOException("no power") : null;
            if (error is null && request.Operation != BlockOperation.Read)
            {
                if (PowerFailsAfter == 0)
                {
                    // A write that is under way when the power fails may get anywhere.
                    if (request.Operation == BlockOperation.Write)
                    {
                        Write(request, int.MaxValue);
                    }

                    _off = true;
                    error = new IOException("no power");
                }

                PowerFailsAfter -= PowerFailsAfter >= 0 ? 1 : 0;
            }

            if (error is null && Fault?.Invoke(request) is { } fault)
            {
                error = fault;
                if (request.Operation == BlockOperation.Write)
                {
                    Write(request, TornAt?.Invoke(request) ?? 0);
                }
            }

            if (error is null)
            {
                (error, done) = Carry(request);
            }
        }

        if (error is null)
        {
            request.Complete(done);
        }
        else
        {
            request.Fail(error);
        }
    }

    private (IOException? Error, int Done) Carry(BlockRequest request)
    {
        switch (request.Operation)
        {
            case BlockOperation.Read:
                Reads++;
                return (null, Read(request));
            case BlockOperation.Flush:
                Flushes++;
                FlushAll();
                return (null, 0);
            default:
                Writes++;
                if (request.Offset + request.ByteCount > Capacity)
                {
                    Write(request, (int)Math.Max(0, Capacity - request.Offset));
                    return (new BlockIOException($"Write at offset {request.Offset} of '{Name}' failed: no room.", 28), 0);
                }

                Write(request, int.MaxValue);
                return (null, request.ByteCount);
        }
    }

    private int Read(BlockRequest request)
    {
        int done = 0;
        foreach (BlockSegment segment in request.Segments)
        {
            int count = (int)Math.Clamp(_length - request.Offset - done, 0, segment.Length);
            _current.AsSpan((int)request.Offset + done, count).CopyTo(segment.Span);
            done += count;
        }

        return done;
    }

    private void Write(BlockRequest request, int most)
    {
        if (request.Offset % Alignment != 0 || request.ByteCount % Alignment != 0)
        {
            throw new InvalidOperationException("A write is not aligned.");
        }

        byte[] bytes = new byte[request.ByteCount];
        int at = 0;
        foreach (BlockSegment segment in request.Segments)
        {
            segment.Span.CopyTo(bytes.AsSpan(at));
            at += segment.Length;
        }

        for (int from = 0; from + SectorBytes <= Math.Min(bytes.Length, most); from += SectorBytes)
        {
            Put((request.Offset + from) / SectorBytes, bytes.AsSpan(from, SectorBytes).ToArray());
        }
    }

    private void Put(long sector, byte[] bytes)
    {
        long end = (sector + 1) * SectorBytes;
        if (end > _current.Length)
        {
            Array.Resize(ref _current, (int)Math.Max(end, _current.Length * 2L));
        }

        bytes.CopyTo(_current, sector * SectorBytes);
        if (!_versions.TryGetValue(sector, out List<byte[]>? versions))
        {
            _versions.Add(sector, versions = []);
        }

        versions.Add(bytes);
        _length = Math.Max(_length, end);
    }

    private void SetLength(long length)
    {
        long before = _length;
        for (long sector = length / SectorBytes; sector * SectorBytes < before; sector++)
        {
            byte[] bytes = new byte[SectorBytes];
            _current.AsSpan((int)(sector * SectorBytes), (int)Math.Max(0, length - (sector * SectorBytes))).CopyTo(bytes);
            Put(sector, bytes);
        }

        if (_current.Length < length)
        {
            Array.Resize(ref _current, (int)length);
        }

        _length = length;
    }

    private void FlushAll()
    {
        if (_durable.Length < _current.Length)
        {
            Array.Resize(ref _durable, _current.Length);
        }

        if (_versions.Count == 0)
        {
            _current.CopyTo(_durable, 0);
        }
        else
        {
            foreach (long sector in _versions.Keys)
            {
                _current.AsSpan((int)(sector * SectorBytes), SectorBytes).CopyTo(_durable.AsSpan((int)(sector * SectorBytes)));
            }
        }

        _durableLength = _length;
        _versions = [];
    }
}
