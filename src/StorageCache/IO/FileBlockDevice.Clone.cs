using StorageCache.Platform;

namespace StorageCache.IO;

/// <content>Files that share blocks with another.</content>
internal sealed partial class FileBlockDevice
{
    /// <inheritdoc/>
    public ValueTask<CloneOutcome> CloneFromAsync(FileBlockDevice source, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<CloneOutcome>(cancellationToken)
            : CloneByTaskAsync(source);

    private async ValueTask<CloneOutcome> CloneByTaskAsync(FileBlockDevice source)
    {
        CloneOutcome outcome = default;
        string what = $"clone '{source.Name}' to";
        await RunAsync(new FileTask(what, () => Clone(source, what, out outcome))).ConfigureAwait(true);
        return outcome;
    }

    private BlockIOException? Clone(FileBlockDevice source, string what, out CloneOutcome outcome)
    {
        outcome = default;
        if (IsReadOnly)
        {
            return new BlockIOException($"Cannot {what} '{Name}': the file was opened read-only.", Errno.EBADF);
        }

        int errno = Stat(_file, out FileStatus status);
        if (errno != 0)
        {
            return BlockIOException.For(what, Name, errno);
        }

        // The kernel would replace what the two have in common, and leave the rest.
        if (status.Size > 0)
        {
            return new BlockIOException($"Cannot {what} '{Name}': the file is not empty.", Errno.EEXIST);
        }

        do
        {
            // The kernel writes back what lies in its cache of either file first.
            errno = -FileClone.Make(source._file, _file);
        }
        while (errno == Errno.EINTR);

        outcome = new CloneOutcome(errno);
        return errno == 0 || CloneOutcome.IsRefusal(errno) ? null : BlockIOException.For(what, Name, errno);
    }
}
