using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;

namespace StorageCache.IO;

/*
 * Why a direct and a buffered descriptor on one file agree.
 *
 * Both stand for one inode, which has one page cache; O_DIRECT only means that transfers go around it. Linux keeps the two in step
 * for transfers that do not overlap in time, which the cache guarantees for a page (one write at a time, no read meanwhile):
 *
 *   buffered write, then direct read   the direct read first writes dirty cached pages in its range back, and waits for them;
 *   buffered write, then direct write  the direct write does the same, then drops the cached pages, so nothing stale is left to
 *                                      be written over it later;
 *   direct write, then buffered write  the cached pages are gone, and the buffered write fetches what it does not overwrite.
 *
 * Neighbouring pages may share one folio of the kernel's cache with the tail. A buffered write holds the inode's lock exclusively and
 * a direct write holds it shared up to the end of its invalidation, so the two cannot interleave within the folio either.
 *
 * One fdatasync covers both descriptors, because it works on the inode: it writes back the dirty cached pages, whoever dirtied them,
 * commits the metadata needed to find the data again, the length among it, and has the disk flush its own cache, where the direct
 * writes lie. A failed write-back is reported once to each descriptor that was open when it failed; the first descriptor is older
 * than any tail, so no failure escapes it.
 */
internal sealed partial class FileBlockDevice
{
    /// <summary>How often a transfer is tried again when the kernel is short of resources for the moment, 1 ms apart.</summary>
    private const int BusyRetries = 1000;

    /// <inheritdoc/>
    public void Execute(BlockRequest request)
    {
        int transferred = 0;
        IOException? error;
        try
        {
            error = request switch
            {
                FileTask task => task.Run(),
                { Operation: BlockOperation.Read } => Read(request, out transferred),
                { Operation: BlockOperation.Write } => Write(request, out transferred),
                _ => Flush(),
            };
        }
        catch (ObjectDisposedException)
        {
            error = ClosedFailure(request);
        }

        // Outside the try block: what the owner throws here must not complete the request a second time (I/O-1).
        if (error is null)
        {
            request.Complete(transferred);
        }
        else
        {
            request.Fail(error);
        }
    }

    private BlockIOException? Read(BlockRequest request, out int transferred)
    {
        SegmentCursor cursor = new(request.Segments);
        int errno = Transfer(_file, BlockOperation.Read, ref cursor, request.Offset, out transferred);
        return errno == 0 ? null : TransferFailure(request, transferred, errno);
    }

    private BlockIOException? Write(BlockRequest request, out int transferred)
    {
        transferred = 0;
        if (IsReadOnly)
        {
            return BlockIOException.ForTransfer(
                BlockOperation.Write, Name, request.Offset, request.ByteCount, Errno.EBADF, "the file was opened read-only");
        }

        // A direct write of a whole block would make the file longer than it should be, and one of part of a block is refused: the
        // segment in which the file ends goes through the page cache.
        ReadOnlySpan<BlockSegment> segments = request.Segments;
        bool hasTail = IsDirect && (request.ByteCount & (Alignment - 1)) != 0;
        SegmentCursor cursor = new(hasTail ? segments[..^1] : segments);
        int errno = Transfer(_file, BlockOperation.Write, ref cursor, request.Offset, out transferred);
        if (errno == 0 && hasTail)
        {
            errno = OpenTailFile(out SafeFileHandle tailFile);
            if (errno == 0)
            {
                SegmentCursor tail = new(segments[^1..]);
                errno = Transfer(tailFile, BlockOperation.Write, ref tail, request.Offset + transferred, out int tailTransferred);
                transferred += tailTransferred;
            }
        }

        return errno == 0 ? null : TransferFailure(request, transferred, errno);
    }

    private BlockIOException? Flush()
    {
        int errno = FileSync(_file, dataOnly: true);
        return errno == 0 ? null : BlockIOException.ForTransfer(BlockOperation.Flush, Name, 0, 0, errno);
    }

    private BlockIOException? SetLength(long length, string what)
    {
        // The kernel says "invalid argument" to both; say what is meant.
        if (IsReadOnly || _isBlockDevice)
        {
            string cause = IsReadOnly ? "the file was opened read-only" : "a block device has a fixed length";
            return new BlockIOException($"Cannot {what} '{Name}': {cause}.", IsReadOnly ? Errno.EBADF : Errno.EINVAL);
        }

        int errno;
        do
        {
            errno = LibC.ftruncate(_file, length) == 0 ? 0 : Errno.Last;
        }
        while (errno == Errno.EINTR);

        return errno == 0 ? null : BlockIOException.For(what, Name, errno);
    }

    private BlockIOException TransferFailure(BlockRequest request, int transferred, int errno) => BlockIOException.ForTransfer(
        request.Operation, Name, request.Offset + transferred, request.ByteCount - transferred, errno);

    /// <summary>Transfers everything the cursor has left; a read stops where the file ends (I/O-5).</summary>
    /// <returns>0, or the error number of the call that failed.</returns>
    [SkipLocalsInit]
    private unsafe int Transfer(SafeFileHandle file, BlockOperation operation, ref SegmentCursor cursor, long offset, out int transferred)
    {
        transferred = 0;
        int capacity = Math.Min(cursor.SegmentCount, LibC.IOV_MAX);
        IoVector* vectors = stackalloc IoVector[capacity];
        int busy = 0;
        while (cursor.Remaining > 0)
        {
            int count = cursor.Fill(new Span<IoVector>(vectors, capacity));
            nint result = operation == BlockOperation.Read
                ? LibC.preadv(file, vectors, count, offset + transferred)
                : LibC.pwritev(file, vectors, count, offset + transferred);
            if (result > 0)
            {
                busy = 0;
                cursor.Advance((int)result);
                transferred += (int)result;

                // A direct read stops within a block only where the file ends. Asking on from there would be refused as unaligned.
                if (operation == BlockOperation.Read && (result & (Alignment - 1)) != 0)
                {
                    return 0;
                }
            }
            else if (result == 0)
            {
                // The end of the file for a read. A file never takes nothing without saying why; if it does, asking again could go on for ever.
                return operation == BlockOperation.Read ? 0 : Errno.EIO;
            }
            else
            {
                int errno = Errno.Last;
                if (errno == Errno.EAGAIN && busy++ < BusyRetries)
                {
                    Thread.Sleep(1);
                }
                else if (errno != Errno.EINTR)
                {
                    return errno;
                }
            }
        }

        return 0;
    }

    private static int FileSync(SafeFileHandle file, bool dataOnly)
    {
        // EINTR comes from network file systems only, before anything has been reported lost; every other error is final.
        while ((dataOnly ? LibC.fdatasync(file) : LibC.fsync(file)) != 0)
        {
            int errno = Errno.Last;
            if (errno != Errno.EINTR)
            {
                return errno;
            }
        }

        return 0;
    }

    /// <summary>The buffered descriptor of the same file.</summary>
    /// <returns>0, or an error number.</returns>
    private int OpenTailFile(out SafeFileHandle tailFile)
    {
        lock (_tailGate)
        {
            if (_tailFile is { } open)
            {
                tailFile = open;
                return 0;
            }

            ObjectDisposedException.ThrowIf(_file.IsClosed, this);
            int errno = ReopenBuffered(out SafeFileHandle? file);
            _tailFile = file;
            tailFile = file!;
            return errno;
        }
    }

    private int ReopenBuffered(out SafeFileHandle? file)
    {
        // Through /proc, because it leads to the inode that is open, whatever has become of the path; by path where there is no /proc,
        // and then only if it still leads to the same file.
        const int Flags = LibC.O_RDWR | LibC.O_CLOEXEC;
        bool added = false;
        try
        {
            _file.DangerousAddRef(ref added);
            if (TryOpen($"/proc/self/fd/{_file.DangerousGetHandle()}", Flags, out file, out int errno))
            {
                return 0;
            }

            if (errno != Errno.ENOENT || !TryOpen(Name, Flags, out file, out errno))
            {
                return errno;
            }

            errno = Stat(file, out FileStatus status);
            if (errno == 0 && IdentityOf(status) == Identity)
            {
                return 0;
            }

            file.Dispose();
            file = null;
            return errno == 0 ? Errno.ENOENT : errno;
        }
        finally
        {
            if (added)
            {
                _file.DangerousRelease();
            }
        }
    }
}
