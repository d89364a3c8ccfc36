using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;

namespace StorageCache.IO;

/// <content>What an engine needs that carries transfers out by itself.</content>
internal sealed partial class FileBlockDevice
{
    /// <summary>The descriptor that serves all transfers but unaligned tails.</summary>
    internal SafeFileHandle File => _file;

    /// <summary>Whether a request is one transfer, or flush, of <see cref="File"/>; others are for <see cref="Execute"/>.</summary>
    internal bool SuitsRing(BlockRequest request) =>
        request is not FileTask
        && (request.Operation != BlockOperation.Write || (!IsReadOnly && (!IsDirect || (request.ByteCount & (Alignment - 1)) == 0)));

    /// <summary>The failure of a request that came too late.</summary>
    internal BlockIOException ClosedFailure(BlockRequest request) => request is FileTask task
        ? new($"Cannot {task.What} '{Name}': the file is closed.", Errno.EBADF)
        : BlockIOException.ForTransfer(request.Operation, Name, request.Offset, request.ByteCount, Errno.EBADF, "the file is closed");

    /// <summary>The failure of a request of which some bytes had been transferred.</summary>
    internal BlockIOException Failure(BlockRequest request, int transferred, int errno) => request.Operation == BlockOperation.Flush
        ? BlockIOException.ForTransfer(BlockOperation.Flush, Name, 0, 0, errno)
        : TransferFailure(request, transferred, errno);
}
