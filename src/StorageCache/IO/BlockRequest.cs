using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace StorageCache.IO;

/// <summary>One vectored transfer, or one flush. Made and reused by the cache; carried out by an <see cref="IBlockDevice"/>.</summary>
/// <remarks>
/// <para>
/// A device completes a request exactly once, with <see cref="Complete"/> or <see cref="Fail"/>, from any thread, also from inside
/// <see cref="IBlockDevice.Submit"/>. From that call on the request belongs to its owner again, who may already have reused it when the
/// call returns: a device must not look at it, nor at its segments, afterwards (I/O-2). It should hold no lock while it completes.
/// </para>
/// <para>Thread safety: one party at a time holds a request: first its owner, from submission to completion the device, then its owner again.</para>
/// </remarks>
public abstract class BlockRequest
{
    private const int StateOwned = 0;
    private const int StateArmed = 1;

    /// <summary>The pieces of memory; the first <see cref="_count"/> are in use.</summary>
    private readonly BlockSegment[] _segments;

    /// <summary>Segments in use.</summary>
    private int _count;

    /// <summary><see cref="StateArmed"/> from <see cref="Reset"/> to completion, else <see cref="StateOwned"/>.</summary>
    private int _state;

    /// <summary>Makes a request with no operation yet; <see cref="Reset"/> comes first.</summary>
    /// <param name="capacity">The most segments it can carry, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is negative.</exception>
    protected BlockRequest(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        _segments = capacity == 0 ? [] : new BlockSegment[capacity];
    }

    /// <summary>What is asked.</summary>
    public BlockOperation Operation { get; protected set; }

    /// <summary>Where the first segment lies on the device: bytes, 0 or more, a multiple of the page size.</summary>
    public long Offset { get; protected set; }

    /// <summary>
    /// The memory, in the order of the device. Each segment is one page, but for the last one of a write, which is cut where the file ends.
    /// Valid until the request completes.
    /// </summary>
    public ReadOnlySpan<BlockSegment> Segments => new(_segments, 0, _count);

    /// <summary>Bytes in all segments together.</summary>
    public int ByteCount { get; private set; }

    /// <summary>The most segments the request can carry.</summary>
    protected int Capacity => _segments.Length;

    /// <summary>Link of the queue that the request is in. Used by whoever holds the request.</summary>
    internal BlockRequest? Next { get; set; }

    /// <summary>The device that will carry the request out while an engine has it queued, else null.</summary>
    internal IBlockDevice? Device { get; set; }

    /// <summary>Reports success.</summary>
    /// <param name="bytesTransferred">
    /// Read: 0 to <see cref="ByteCount"/>; fewer than asked means that the device ends there, and the cache fills the rest with zeros.
    /// Write: <see cref="ByteCount"/>. Flush: 0.
    /// </param>
    /// <exception cref="InvalidOperationException">The request is complete already, or was never prepared.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bytesTransferred"/> is not possible; the request is not completed.</exception>
    public void Complete(int bytesTransferred)
    {
        int atLeast = Operation == BlockOperation.Write ? ByteCount : 0;
        int atMost = Operation == BlockOperation.Flush ? 0 : ByteCount;
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesTransferred, atLeast);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytesTransferred, atMost);
        Disarm();

        // The last thing done here: the owner may reuse the request before this call returns (I/O-2).
        OnCompleted(bytesTransferred, null);
    }

    /// <summary>Reports failure. How many bytes were transferred is not known.</summary>
    /// <param name="error">What went wrong; names the operation, the device, the offset and the cause.</param>
    /// <exception cref="InvalidOperationException">The request is complete already, or was never prepared.</exception>
    public void Fail(IOException error)
    {
        ArgumentNullException.ThrowIfNull(error);
        Disarm();

        // The last thing done here: the owner may reuse the request before this call returns (I/O-2).
        OnCompleted(0, error);
    }

    /// <summary>Runs once per submission, on the thread that completes the request. Must not throw and must not block.</summary>
    /// <param name="bytesTransferred">Bytes; see <see cref="Complete"/>. 0 on failure.</param>
    /// <param name="error">The failure, or null.</param>
    protected abstract void OnCompleted(int bytesTransferred, IOException? error);

    /// <summary>Prepares the request for one submission; drops all segments.</summary>
    /// <param name="operation">What is asked.</param>
    /// <param name="offset">Where the first segment will lie on the device: bytes, 0 or more, a multiple of the page size.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="offset"/> is negative.</exception>
    /// <exception cref="InvalidOperationException">The request waits in a queue.</exception>
    protected void Reset(BlockOperation operation, long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);

        // Always on: a queued request that is prepared anew would transfer to and from the wrong pages.
        if (Device is not null)
        {
            ThrowQueued();
        }

        Operation = operation;
        Offset = offset;
        ByteCount = 0;
        _count = 0;
        Volatile.Write(ref _state, StateArmed);
    }

    /// <summary>Adds memory for the bytes that follow those of the segments so far.</summary>
    /// <param name="segment">One page, or for the last segment of a write what is left up to the end of the file.</param>
    /// <exception cref="InvalidOperationException">The request carries <see cref="Capacity"/> segments already, or is not prepared.</exception>
    /// <exception cref="OverflowException">The request would carry 2 GiB or more.</exception>
    protected void Append(BlockSegment segment)
    {
        if (_count == _segments.Length || _state != StateArmed)
        {
            ThrowCannotAppend();
        }

        Debug.Assert(Operation != BlockOperation.Flush, "A flush carries no segments.");
        ByteCount = checked(ByteCount + segment.Length);
        _segments[_count++] = segment;
    }

    // I/O-1, always on: after a second completion two owners would believe that the pages are theirs. A second completion that comes
    // after the owner has prepared the request anew cannot be told from the first one of the new submission.
    private void Disarm()
    {
        if (Interlocked.Exchange(ref _state, StateOwned) != StateArmed)
        {
            throw new InvalidOperationException(
                $"A {Operation} request at offset {Offset} was completed twice, or was completed without having been prepared.");
        }
    }

    [DoesNotReturn]
    private static void ThrowQueued() => throw new InvalidOperationException("The request waits in a queue and cannot be prepared anew.");

    [DoesNotReturn]
    private void ThrowCannotAppend() => throw new InvalidOperationException(
        $"The request cannot take another segment: it holds {_count} of at most {_segments.Length}, or has not been prepared.");
}
