using System.Runtime.CompilerServices;
using StorageCache.Platform;
using StorageCache.Platform.Native;

namespace StorageCache.IO;

/// <content>Where the file's bytes lie.</content>
internal sealed partial class FileBlockDevice
{
    /// <inheritdoc/>
    public ExtentSpace? ExtentSpace { get; }

    /// <inheritdoc/>
    public ValueTask<Extent[]> GetExtentsAsync(long offset, long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<Extent[]>(cancellationToken)
            : GetExtentsByTaskAsync(offset, offset + Math.Min(length, long.MaxValue - offset), cancellationToken);
    }

    private async ValueTask<Extent[]> GetExtentsByTaskAsync(long start, long end, CancellationToken cancellationToken)
    {
        const string What = "get the extents of";
        List<Extent> extents = [];
        await RunAsync(new FileTask(What, () =>
        {
            int errno = ReadExtents(start, end, extents, cancellationToken);
            return errno == 0 ? null : BlockIOException.For(What, Name, errno);
        })).ConfigureAwait(true);
        cancellationToken.ThrowIfCancellationRequested();
        return [.. extents];
    }

    /// <summary>Adds the extents of a range. Ends early, with what there is, when it is cancelled.</summary>
    /// <returns>0, or the error number of the call that failed.</returns>
    [SkipLocalsInit]
    private int ReadExtents(long start, long end, List<Extent> extents, CancellationToken cancellationToken)
    {
        Span<FileExtent> batch = stackalloc FileExtent[FileExtents.MostAtOnce];

        // I/O-24. Once is enough: what is written after the first call has begun is not part of the answer.
        ExtentQueryFlags flags = ExtentQueryFlags.Sync;
        while (start < end && !cancellationToken.IsCancellationRequested)
        {
            int count = FileExtents.Get(_file, (ulong)start, (ulong)(end - start), flags, batch);
            if (count == -Errno.EINTR)
            {
                continue;
            }

            if (count < 0)
            {
                // What was told before the range came to where no file can be is the answer.
                return TellsNothing(-count) ? 0 : -count;
            }

            // A file that changes meanwhile may have the same bytes told twice: they count once.
            long reached = start;
            foreach (ref readonly FileExtent extent in batch[..count])
            {
                if (Extent.TryClip(extent, reached, end, out Extent clipped))
                {
                    extents.Add(clipped);
                    reached = clipped.End;
                }
            }

            // An answer that brings nothing new would do so for ever.
            if (count < batch.Length || (batch[count - 1].Flags & ExtentFlags.Last) != 0 || reached == start)
            {
                return 0;
            }

            start = reached;
            flags = ExtentQueryFlags.None;
        }

        return 0;
    }

    /// <summary>Whether an error number means that there is nothing to be told (I/O-27): by this file system, to this process, of this range.</summary>
    private static bool TellsNothing(int errno) => errno
        is Errno.EOPNOTSUPP or Errno.EINVAL or Errno.EBADR or Errno.ENOSYS or Errno.EFBIG or Errno.EPERM or Errno.EACCES;
}
