using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>
/// A file of a file system that the test itself serves (FUSE): each transfer takes the kernel's whole way, and the test decides when it
/// ends and how. Skips the test where nothing can be mounted.
/// </summary>
/// <remarks>
/// Transfers are direct. What is held is answered by <see cref="Release"/>; whoever has asked for it waits in the kernel until then, as
/// for a disk that takes its time.
/// </remarks>
internal sealed class FuseFile : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly Lock _lock = new();
    private readonly List<(ulong Unique, FuseCall Call, byte[] Data)> _held = [];
    private readonly FuseConnection _connection;
    private readonly Thread _server;
    private readonly string _mount;
    private byte[] _bytes;
    private int _reads;
    private int _writes;
    private bool _isOpen;

    private FuseFile(int length)
    {
        _bytes = new byte[length];
        _mount = _directory.File("mount");
        Directory.CreateDirectory(_mount);
        string? failure = FuseConnection.TryMount(_mount, out FuseConnection? connection);
        if (failure is not null)
        {
            _directory.Dispose();
            Assert.Skip($"The file system cannot be mounted here: {failure}");
        }

        _connection = connection!;
        _server = new Thread(Serve) { IsBackground = true, Name = "FUSE" };
        _server.Start();
    }

    /// <summary>Path of the one file there is.</summary>
    public string Path => System.IO.Path.Combine(_mount, FuseConnection.FileName);

    /// <summary>Which requests wait for <see cref="Release"/>; null for none.</summary>
    public Func<FuseCall, bool>? Hold { get; set; }

    /// <summary>The error number that a request is to fail with, 0 for none.</summary>
    public Func<FuseCall, int>? Fault { get; set; }

    /// <summary>The most bytes that a read is answered with, 1 or more; null for as many as are asked for.</summary>
    public Func<FuseCall, int>? Most { get; set; }

    /// <summary>Requests that are held.</summary>
    public int Held
    {
        get
        {
            lock (_lock)
            {
                return _held.Count;
            }
        }
    }

    /// <summary>Reads that were answered.</summary>
    public int Reads => Volatile.Read(ref _reads);

    /// <summary>Writes that were answered.</summary>
    public int Writes => Volatile.Read(ref _writes);

    /// <summary>Whether anybody has the file open.</summary>
    public bool IsOpen => Volatile.Read(ref _isOpen);

    /// <summary>Makes the file, each byte of which says which page it is in, and is never 0.</summary>
    public static FuseFile Create(int pages)
    {
        FuseFile file = new(pages * TestRequest.PageSize);
        for (int page = 0; page < pages; page++)
        {
            file._bytes.AsSpan(page * TestRequest.PageSize, TestRequest.PageSize).Fill(ByteOf(page));
        }

        return file;
    }

    /// <summary>What each byte of a page is at first.</summary>
    public static byte ByteOf(long page) => (byte)(1 + (page % 255));

    /// <summary>The bytes of a page now.</summary>
    public byte[] Page(int page)
    {
        lock (_lock)
        {
            return _bytes.AsSpan(page * TestRequest.PageSize, TestRequest.PageSize).ToArray();
        }
    }

    public void WaitForHeld(int count) => Wait.Until(() => Held >= count, $"{count} requests to be held (there are {Held})");

    /// <summary>Answers what is held, and holds nothing more.</summary>
    public void ReleaseAll()
    {
        Hold = null;
        Release();
    }

    /// <summary>Answers what is held.</summary>
    public void Release()
    {
        List<(ulong Unique, FuseCall Call, byte[] Data)> held;
        lock (_lock)
        {
            held = [.. _held];
            _held.Clear();
        }

        foreach ((ulong unique, FuseCall call, byte[] data) in held)
        {
            Answer(unique, call, data);
        }
    }

    public void Dispose()
    {
        ReleaseAll();

        // By force: what a test that failed has left open or waiting ends with an error.
        MountedFileSystem.TryRun("umount", "--force", "--lazy", _mount);
        _connection.Dispose();
        _server.Join();
        _directory.Dispose();
    }

    private void Serve()
    {
        byte[] buffer = new byte[FuseConnection.BufferSize];
        while (_connection.TryReceive(buffer, out FuseRequest request))
        {
            switch (request.Operation)
            {
                case FuseOperation.Read or FuseOperation.Write or FuseOperation.Sync:
                    Transfer(request);
                    break;
                case FuseOperation.SetAttributes:
                    lock (_lock)
                    {
                        if (request.NewLength is { } length)
                        {
                            Array.Resize(ref _bytes, (int)length);
                        }

                        _connection.ReplyAttributes(request, _bytes.Length);
                    }

                    break;
                case FuseOperation.Open:
                    Volatile.Write(ref _isOpen, true);
                    _connection.ReplyOpen(request);
                    break;
                case FuseOperation.Release:
                    Volatile.Write(ref _isOpen, false);
                    _connection.ReplyDone(request.Unique);
                    break;
                default:
                    _connection.ReplyOther(request, _bytes.Length);
                    break;
            }
        }
    }

    private void Transfer(in FuseRequest request)
    {
        FuseCall call = new(
            request.Operation switch { FuseOperation.Read => BlockOperation.Read, FuseOperation.Write => BlockOperation.Write, _ => BlockOperation.Flush },
            request.Offset,
            request.Length);
        byte[] data = request.Data.ToArray();
        if (Hold?.Invoke(call) == true)
        {
            lock (_lock)
            {
                _held.Add((request.Unique, call, data));
            }

            return;
        }

        Answer(request.Unique, call, data);
    }

    private void Answer(ulong unique, FuseCall call, byte[] data)
    {
        int errno = Fault?.Invoke(call) ?? 0;
        if (errno != 0)
        {
            _connection.ReplyError(unique, errno);
        }
        else if (call.Operation == BlockOperation.Read)
        {
            lock (_lock)
            {
                int start = (int)Math.Min(call.Offset, _bytes.Length);
                int length = Math.Min(call.Length, Most?.Invoke(call) ?? call.Length);
                data = _bytes.AsSpan(start, Math.Min(length, _bytes.Length - start)).ToArray();
            }

            // Counted before it is answered: who has the answer sees the count.
            Interlocked.Increment(ref _reads);
            _connection.Reply(unique, data);
        }
        else if (call.Operation == BlockOperation.Write)
        {
            lock (_lock)
            {
                int end = (int)call.Offset + data.Length;
                if (end > _bytes.Length)
                {
                    Array.Resize(ref _bytes, end);
                }

                data.CopyTo(_bytes, (int)call.Offset);
            }

            Interlocked.Increment(ref _writes);
            _connection.ReplyWritten(unique, data.Length);
        }
        else
        {
            _connection.ReplyDone(unique);
        }
    }
}
