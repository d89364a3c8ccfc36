using System.Collections.Concurrent;
using StorageCache.IO;

namespace StorageCache.Tests.Harness;

/// <summary>
/// A device in memory that does as a test says: fails requests, holds them until told, counts and records them all, and
/// notices two writes of one page at once.
/// </summary>
internal sealed class ScriptedDevice : IBlockDevice
{
    private readonly Lock _lock = new();
    private readonly List<DeviceCall> _calls = [];
    private readonly List<(BlockRequest Request, DeviceCall Call)> _held = [];
    private readonly ConcurrentDictionary<long, int> _writing = new();
    private long _reads;
    private long _writes;
    private long _flushes;

    public ScriptedDevice(long pages = 0) => Memory = new MemoryBlockDevice("scripted", pages * 4096);

    public MemoryBlockDevice Memory { get; }

    /// <summary>What a request fails with, or null; asked when the request is carried out.</summary>
    public Func<DeviceCall, IOException?>? Fault { get; set; }

    /// <summary>Whether a request is held when it comes.</summary>
    public Func<DeviceCall, bool>? Hold { get; set; }

    /// <summary>Comes with each request as it arrives, before it is held or carried out.</summary>
    public Action<BlockRequest>? Watch { get; set; }

    /// <summary>What changing the length fails with.</summary>
    public IOException? LengthFault { get; set; }

    /// <summary>Comes when the length is asked for.</summary>
    public Action? OnLength { get; set; }

    /// <summary>Comes before the length is changed, which it is told, in bytes.</summary>
    public Func<long, Task> BeforeLength { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Whether the device can be punched.</summary>
    public bool CanPunch { get; set; } = true;

    /// <summary>What punching throws.</summary>
    public Exception? PunchFault { get; set; }

    /// <summary>Comes before the device is punched.</summary>
    public Func<Task> BeforePunch { get; set; } = static () => Task.CompletedTask;

    /// <summary>The ranges that were to be punched, in bytes.</summary>
    public List<(long Offset, long Length)> Punches { get; } = [];

    /// <summary>Whether calls are kept for <see cref="Calls"/>; off where a test counts allocations.</summary>
    public bool Records { get; set; } = true;

    /// <summary>Set if two writes of one page were ever under way at once.</summary>
    public bool SawOverlappingWrites { get; private set; }

    public long Reads => Volatile.Read(ref _reads);

    public long Writes => Volatile.Read(ref _writes);

    public long Flushes => Volatile.Read(ref _flushes);

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

    public IReadOnlyList<DeviceCall> Calls
    {
        get
        {
            lock (_lock)
            {
                return [.. _calls];
            }
        }
    }

    public IReadOnlyList<DeviceCall> WriteCalls => [.. Calls.Where(call => call.Operation == BlockOperation.Write)];

    public IReadOnlyList<DeviceCall> ReadCalls => [.. Calls.Where(call => call.Operation == BlockOperation.Read)];

    public string Name => Memory.Name;

    public int Alignment => 1;

    public long Length
    {
        get
        {
            OnLength?.Invoke();
            return Memory.Length;
        }
    }

    public bool IsReadOnly { get; init; }

    public static BlockIOException Eio(DeviceCall call) => new($"{call.Operation} at {call.Offset} failed as scripted.", 5);

    /// <summary>Fills a page of the device.</summary>
    public void Fill(long page, byte value) => Memory.Write(page * 4096, Enumerable.Repeat(value, 4096).ToArray());

    public byte[] Bytes(long page)
    {
        byte[] bytes = new byte[4096];
        Memory.Read(page * 4096, bytes);
        return bytes;
    }

    public void Submit(BlockRequest request)
    {
        DeviceCall call = new(request.Operation, request.Offset, request.ByteCount, request.Segments.Length);
        Count(call.Operation);
        Watch?.Invoke(request);
        if (call.Operation == BlockOperation.Write)
        {
            BeginWrite(call);
        }

        if (Records || Hold is not null)
        {
            lock (_lock)
            {
                if (Records)
                {
                    _calls.Add(call);
                }

                if (Hold?.Invoke(call) == true)
                {
                    _held.Add((request, call));
                    return;
                }
            }
        }

        Carry(request, call);
    }

    public void Execute(BlockRequest request) => Submit(request);

    /// <summary>Waits until a number of requests is held.</summary>
    public void WaitForHeld(int count) => Wait.Until(() => HeldCount >= count, $"{count} requests to be held");

    /// <summary>Carries held requests out, on the calling thread and in their order, and holds none from now on.</summary>
    public void ReleaseAll()
    {
        Hold = null;
        ReleaseHeld();
    }

    /// <summary>Carries out what is held now.</summary>
    public void ReleaseHeld(BlockOperation? only = null)
    {
        List<(BlockRequest Request, DeviceCall Call)> held;
        lock (_lock)
        {
            held = _held.FindAll(item => only is null || item.Call.Operation == only);
            _held.RemoveAll(item => only is null || item.Call.Operation == only);
        }

        foreach ((BlockRequest request, DeviceCall call) in held)
        {
            Carry(request, call);
        }
    }

    public async ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        await BeforeLength(length);
        if (LengthFault is not null)
        {
            throw LengthFault;
        }

        await Memory.SetLengthAsync(length, cancellationToken);
    }

    public async ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Punches.Add((offset, length));
        await BeforePunch();
        if (PunchFault is not null)
        {
            throw PunchFault;
        }

        return CanPunch && await Memory.TryPunchAsync(offset, length, cancellationToken);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Count(BlockOperation operation)
    {
        switch (operation)
        {
            case BlockOperation.Read:
                Interlocked.Increment(ref _reads);
                break;
            case BlockOperation.Write:
                Interlocked.Increment(ref _writes);
                break;
            default:
                Interlocked.Increment(ref _flushes);
                break;
        }
    }

    private void BeginWrite(DeviceCall call)
    {
        for (long page = call.Page; page < call.EndPage; page++)
        {
            SawOverlappingWrites |= _writing.AddOrUpdate(page, 1, static (_, count) => count + 1) > 1;
        }
    }

    private void Carry(BlockRequest request, DeviceCall call)
    {
        int transferred = 0;
        IOException? error = Fault?.Invoke(call);
        if (error is null && call.Operation != BlockOperation.Flush)
        {
            foreach (BlockSegment segment in request.Segments)
            {
                if (call.Operation == BlockOperation.Write)
                {
                    Memory.Write(call.Offset + transferred, segment.Span);
                    transferred += segment.Length;
                }
                else
                {
                    transferred += Memory.Read(call.Offset + transferred, segment.Span);
                }
            }
        }

        if (call.Operation == BlockOperation.Write)
        {
            for (long page = call.Page; page < call.EndPage; page++)
            {
                _writing.AddOrUpdate(page, 0, static (_, count) => count - 1);
            }
        }

        if (error is null)
        {
            request.Complete(transferred);
        }
        else
        {
            request.Fail(error);
        }
    }
}
