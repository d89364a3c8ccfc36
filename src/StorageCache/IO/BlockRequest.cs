using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>One vectored transfer, or one flush. Made and reused by the cache; carried out by an <see cref="IBlockDevice"/>.</summary>
/// <remarks>
/// <para>
/// A device completes a request exactly once, with <see cref="Complete"/> or <see cref="Fail"/>, from any thread, also from inside
/// <see cref="IBlockDevice.Submit"/>. From that call on the request belongs to its owner again, who may already have reused it when the
/// call returns: a device must not look at it, nor at its segments, afterwards (I/O-2). It should hold no lock while it completes.
/// A device that throws instead has failed the request, and has given it back likewise (I/O-15).
/// </para>
/// <para>Thread safety: one party at a time holds a request: first its owner, from submission to completion the device, then its owner again.</para>
/// </remarks>
public abstract class BlockRequest
{
    /// <summary>Set in <see cref="_submission"/> from <see cref="Reset"/> to completion.</summary>
    private const long Armed = 1;

    /// <summary>What the completion of an owner has just thrown on this thread, on its way through the device.</summary>
    [ThreadStatic]
    private static Exception? s_ownersError;

    /// <summary>The pieces of memory; the first <see cref="_count"/> are in use.</summary>
    private readonly BlockSegment[] _segments;

    /// <summary>Segments in use.</summary>
    private int _count;

    /// <summary>Number of the submission, times two, and whether it is <see cref="Armed"/>.</summary>
    private long _submission;

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
    /// The memory, in the order of the device. In requests of the cache each segment is one page, but for the last one of a write, which is cut
    /// where the file ends; an engine above that makes requests of its own has segments of any multiple of <see cref="IBlockDevice.Alignment"/>.
    /// Valid until the request completes.
    /// </summary>
    public ReadOnlySpan<BlockSegment> Segments => new(_segments, 0, _count);

    /// <summary>Bytes in all segments together.</summary>
    public int ByteCount { get; private set; }

    /// <summary>The most segments the request can carry.</summary>
    protected int Capacity => _segments.Length;

    /// <summary>Link of the queue that the request is in. Used by whoever holds the request.</summary>
    internal BlockRequest? Next { get; set; }

    /// <summary>Bytes that are done, while an engine transfers piece by piece. Used by the engine.</summary>
    internal int Transferred { get; set; }

    /// <summary>How often in a row the engine has had to ask again. Used by the engine.</summary>
    internal int Attempts { get; set; }

    /// <summary>The device that will carry the request out while an engine has it queued, else null.</summary>
    internal IBlockDevice? Device { get; set; }

    /// <summary>Tells this submission from every other one of the request.</summary>
    internal long Submission => Volatile.Read(ref _submission);

    /// <summary>
    /// Whether a device threw instead of completing the request. It may come back to it still, so the request is not to be used
    /// again: only so is a late completion known for what it is (I/O-1).
    /// </summary>
    internal bool IsForsaken { get; private set; }

    /// <summary>Reports success.</summary>
    /// <param name="bytesTransferred">
    /// Read: 0 to <see cref="ByteCount"/>; fewer than asked means that the device ends there, and the cache fills the rest with zeros.
    /// Write: <see cref="ByteCount"/>. Flush: 0. With any other number the request fails: what was transferred is not known.
    /// </param>
    /// <exception cref="InvalidOperationException">The request is complete already, or was never prepared.</exception>
    public void Complete(int bytesTransferred)
    {
        IOException? error = CheckCount(bytesTransferred);
        Disarm();

        // The last thing done here: the owner may reuse the request before this call returns (I/O-2).
        GiveBack(error is null ? bytesTransferred : 0, error);
    }

    /// <summary>Reports failure. How many bytes were transferred is not known.</summary>
    /// <param name="error">What went wrong; names the operation, the device, the offset and the cause.</param>
    /// <exception cref="InvalidOperationException">The request is complete already, or was never prepared.</exception>
    public void Fail(IOException error)
    {
        // Null is a mistake of the device's, which must not leave the owner waiting for ever.
        error ??= new BlockIOException($"{Operation} at offset {Offset} failed, and its device does not say why.", Errno.EIO);
        Disarm();

        // The last thing done here: the owner may reuse the request before this call returns (I/O-2).
        GiveBack(0, error);
    }

    /// <summary>Fails a submission whose device threw, unless the device had completed it before.</summary>
    internal void Forsake(long submission, IBlockDevice device, Exception error)
    {
        if (TryDisarm(submission))
        {
            IsForsaken = true;
            GiveBack(0, DeviceBoundary.Wrap(this, device, error));
        }
    }

    /// <summary>Whether an exception that comes out of a device was thrown by an owner's completion.</summary>
    internal static bool IsOwners(Exception error) => ReferenceEquals(error, s_ownersError);

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
        Transferred = 0;
        Attempts = 0;
        _count = 0;
        Volatile.Write(ref _submission, (_submission | Armed) + 2);
    }

    /// <summary>Adds memory for the bytes that follow those of the segments so far.</summary>
    /// <param name="segment">One page, or for the last segment of a write what is left up to the end of the file.</param>
    /// <exception cref="InvalidOperationException">The request carries <see cref="Capacity"/> segments already, or is not prepared.</exception>
    /// <exception cref="OverflowException">The request would carry 2 GiB or more.</exception>
    protected void Append(BlockSegment segment)
    {
        if (_count == _segments.Length || (_submission & Armed) == 0)
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
        if (!TryDisarm(Submission))
        {
            throw new InvalidOperationException(
                $"A {Operation} request at offset {Offset} was completed twice, or was completed without having been prepared.");
        }
    }

    private bool TryDisarm(long submission) =>
        (submission & Armed) != 0
        && Interlocked.CompareExchange(ref _submission, submission & ~Armed, submission) == submission;

    private void GiveBack(int bytesTransferred, IOException? error)
    {
        try
        {
            OnCompleted(bytesTransferred, error);
        }
        catch (Exception thrown) when (NoteOwners(thrown))
        {
            throw;
        }
    }

    // As a filter, which leaves the exception as it is.
    private static bool NoteOwners(Exception error)
    {
        s_ownersError = error;
        return false;
    }

    private BlockIOException? CheckCount(int bytesTransferred)
    {
        int atLeast = Operation == BlockOperation.Write ? ByteCount : 0;
        int atMost = Operation == BlockOperation.Flush ? 0 : ByteCount;
        return bytesTransferred >= atLeast && bytesTransferred <= atMost
            ? null
            : new BlockIOException($"{Operation} of {ByteCount} bytes at offset {Offset} was completed by its device as {bytesTransferred} bytes, which cannot be.", Errno.EIO);
    }

    [DoesNotReturn]
    private static void ThrowQueued() => throw new InvalidOperationException("The request waits in a queue and cannot be prepared anew.");

    [DoesNotReturn]
    private void ThrowCannotAppend() => throw new InvalidOperationException(
        $"The request cannot take another segment: it holds {_count} of at most {_segments.Length}, or has not been prepared.");
}
