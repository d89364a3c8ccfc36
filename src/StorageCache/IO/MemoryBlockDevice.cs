using System.Collections.Concurrent;
using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>A device whose bytes live in managed memory and go with it: for tests, and for data that need not survive the process.</summary>
/// <remarks>
/// <para>
/// Sparse: memory is taken for ranges that have been written, 64 KiB at a time; all others read as zeros. It grows with writes beyond
/// its end. Requests complete inside <see cref="Submit"/>, on the calling thread. A flush has nothing to do.
/// </para>
/// <para>
/// Thread safety: all members may be called from any thread. Transfers of overlapping ranges at the same time may tear, as on a disk.
/// </para>
/// </remarks>
public sealed class MemoryBlockDevice : IBlockDevice
{
    /// <summary>Bytes; below the size from which the garbage collector treats an array as large.</summary>
    private const int ChunkSize = 64 * 1024;

    /// <summary>Held shared by transfers, exclusively by changes of length and disposal. Never held while a request completes (I/O-4).</summary>
    private readonly ReaderWriterLockSlim _gate = new();

    /// <summary>What has been written, by offset divided by <see cref="ChunkSize"/>. Bytes beyond <see cref="_length"/> are zero.</summary>
    private readonly ConcurrentDictionary<long, byte[]> _chunks = new();

    /// <summary>Bytes. Grows under the shared lock, shrinks under the exclusive one.</summary>
    private long _length;

    /// <summary>Whether the device has been disposed. Written under the exclusive lock.</summary>
    private bool _disposed;

    /// <summary>Makes a device full of zeros.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="length">Bytes, 0 or more.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative.</exception>
    public MemoryBlockDevice(string name, long length = 0)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Name = name;
        _length = length;
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <summary>1: any offset and length will do.</summary>
    public int Alignment => 1;

    /// <inheritdoc/>
    public long Length => Volatile.Read(ref _length);

    /// <summary>False.</summary>
    public bool IsReadOnly => false;

    /// <summary>Copies bytes out of the device.</summary>
    /// <param name="offset">Bytes, 0 or more.</param>
    /// <param name="destination">Filled from its start.</param>
    /// <returns>Bytes copied: fewer than asked where the device ends.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="offset"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed.</exception>
    public int Read(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        _gate.EnterReadLock();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            int count = (int)Math.Clamp(_length - offset, 0, destination.Length);
            CopyOut(offset, destination[..count]);
            return count;
        }
        finally
        {
            _gate.ExitReadLock();
        }
    }

    /// <summary>Copies bytes into the device, which grows if they reach beyond its end.</summary>
    /// <param name="offset">Bytes, 0 or more.</param>
    /// <param name="source">All of it is copied.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="offset"/> is negative, or the end is beyond what 64 bits can say.</exception>
    /// <exception cref="ObjectDisposedException">The device has been disposed.</exception>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, long.MaxValue - source.Length);
        _gate.EnterReadLock();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            CopyIn(offset, source);
            Grow(offset + source.Length);
        }
        finally
        {
            _gate.ExitReadLock();
        }
    }

    /// <summary>Runs the request to completion on the calling thread.</summary>
    /// <inheritdoc/>
    public void Submit(BlockRequest request) => Execute(request);

    /// <inheritdoc/>
    public void Execute(BlockRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        int transferred = 0;
        IOException? error = null;
        try
        {
            transferred = Transfer(request);
        }
        catch (ObjectDisposedException)
        {
            error = Failure(request, Errno.EBADF, "the device is closed");
        }
        catch (OutOfMemoryException)
        {
            error = Failure(request, Errno.ENOSPC, "there is no memory left for it");
        }

        // Outside the lock and the try block: the owner may do as it likes in here, and what it throws is not the device's (I/O-1, I/O-4).
        if (error is null)
        {
            request.Complete(transferred);
        }
        else
        {
            request.Fail(error);
        }
    }

    /// <summary>Changes the length; completes synchronously.</summary>
    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The device has been disposed.</exception>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellationToken);
        }

        _gate.EnterWriteLock();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (length < _length)
            {
                Cut(length);
            }

            Volatile.Write(ref _length, length);
            return ValueTask.CompletedTask;
        }
        finally
        {
            _gate.ExitWriteLock();
        }
    }

    /// <summary>Gives the memory of the range back, but for that of a part of 64 KiB at either end; completes synchronously.</summary>
    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The device has been disposed.</exception>
    public ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, long.MaxValue - offset);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<bool>(cancellationToken);
        }

        _gate.EnterWriteLock();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Punch(offset, offset + length);
            return new(true);
        }
        finally
        {
            _gate.ExitWriteLock();
        }
    }

    /// <summary>Drops the bytes; completes synchronously. Later requests fail.</summary>
    public ValueTask DisposeAsync()
    {
        _gate.EnterWriteLock();
        try
        {
            _disposed = true;
            _chunks.Clear();
            return ValueTask.CompletedTask;
        }
        finally
        {
            _gate.ExitWriteLock();
        }
    }

    private int Transfer(BlockRequest request)
    {
        int transferred = 0;
        foreach (BlockSegment segment in request.Segments)
        {
            int count = segment.Length;
            if (request.Operation == BlockOperation.Read)
            {
                count = Read(request.Offset + transferred, segment.Span);
            }
            else
            {
                Write(request.Offset + transferred, segment.Span);
            }

            transferred += count;
            if (count < segment.Length)
            {
                break;
            }
        }

        ObjectDisposedException.ThrowIf(_disposed, this);
        return transferred;
    }

    private BlockIOException Failure(BlockRequest request, int errno, string cause) =>
        BlockIOException.ForTransfer(request.Operation, Name, request.Offset, request.ByteCount, errno, cause);

    private void CopyOut(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            (long chunk, long start) = Math.DivRem(offset, ChunkSize);
            int count = Math.Min(destination.Length, ChunkSize - (int)start);
            if (_chunks.TryGetValue(chunk, out byte[]? bytes))
            {
                bytes.AsSpan((int)start, count).CopyTo(destination);
            }
            else
            {
                destination[..count].Clear();
            }

            offset += count;
            destination = destination[count..];
        }
    }

    private void CopyIn(long offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            (long chunk, long start) = Math.DivRem(offset, ChunkSize);
            int count = Math.Min(source.Length, ChunkSize - (int)start);
            byte[] bytes = _chunks.GetOrAdd(chunk, static _ => new byte[ChunkSize]);
            source[..count].CopyTo(bytes.AsSpan((int)start));
            offset += count;
            source = source[count..];
        }
    }

    // Writers run side by side under the shared lock, so the furthest one must win.
    private void Grow(long end)
    {
        long length = Volatile.Read(ref _length);
        while (end > length)
        {
            long seen = Interlocked.CompareExchange(ref _length, end, length);
            if (seen == length)
            {
                return;
            }

            length = seen;
        }
    }

    // By the chunks that are there, which are fewer than a range may have places for.
    private void Punch(long start, long end)
    {
        foreach ((long chunk, byte[] bytes) in _chunks)
        {
            long first = chunk * ChunkSize;
            int from = (int)Math.Clamp(start - first, 0, ChunkSize);
            int to = (int)Math.Clamp(end - first, 0, ChunkSize);
            if (to - from == ChunkSize)
            {
                _chunks.TryRemove(chunk, out _);
            }
            else if (to > from)
            {
                bytes.AsSpan(from, to - from).Clear();
            }
        }
    }

    private void Cut(long length)
    {
        (long last, long start) = Math.DivRem(length, ChunkSize);
        foreach (long chunk in _chunks.Keys)
        {
            if (chunk > last)
            {
                _chunks.TryRemove(chunk, out _);
            }
        }

        // What is cut off must read as zeros if the device grows over it again.
        if (_chunks.TryGetValue(last, out byte[]? bytes))
        {
            bytes.AsSpan((int)start).Clear();
        }
    }
}
