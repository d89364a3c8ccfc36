using StorageCache.Platform;

namespace StorageCache.IO;

/// <content>Punching holes.</content>
internal sealed partial class FileBlockDevice
{
    /// <summary>Whether the kernel has said that the file cannot be punched: it would say so again.</summary>
    private volatile bool _cannotPunch;

    /// <summary>Punches on one of the engine's threads: freeing the blocks of a large range takes the kernel a while.</summary>
    /// <inheritdoc/>
    public async ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, long.MaxValue - offset);
        cancellationToken.ThrowIfCancellationRequested();
        if (_cannotPunch)
        {
            return false;
        }

        bool isPunched = false;
        string what = $"punch {length} bytes at offset {offset} of";
        await RunAsync(new FileTask(what, () => Punch(what, offset, length, out isPunched))).ConfigureAwait(true);
        return isPunched;
    }

    private BlockIOException? Punch(string what, long offset, long length, out bool isPunched)
    {
        isPunched = false;
        if (IsReadOnly)
        {
            return new BlockIOException($"Cannot {what} '{Name}': the file was opened read-only.", Errno.EBADF);
        }

        // The kernel cuts the range at the end of a block device, and one that begins there is an error.
        int errno;
        do
        {
            errno = LibC.fallocate(_file, LibC.FALLOC_FL_PUNCH_HOLE | LibC.FALLOC_FL_KEEP_SIZE, offset, length) == 0 ? 0 : Errno.Last;
        }
        while (errno == Errno.EINTR);

        // A file system that has no holes, an older kernel's or a stacked one, or a disk whose blocks are larger than pages.
        if (errno is Errno.EOPNOTSUPP or Errno.ENOSYS || (errno == Errno.EINVAL && _isBlockDevice))
        {
            _cannotPunch = true;
            return null;
        }

        isPunched = errno == 0;
        return isPunched ? null : BlockIOException.For(what, Name, errno);
    }
}
