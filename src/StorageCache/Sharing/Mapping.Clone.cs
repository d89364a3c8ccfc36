using StorageCache.IO;

namespace StorageCache;

/// <content>Clones: files that begin as this one is, and take no room until they differ.</content>
public sealed partial class Mapping
{
    /// <summary>Pages that are copied before the copies are written.</summary>
    private const int CopiedAtOnce = 256;

    /// <summary>
    /// Makes a new file that holds what this one does, and opens it in the same cache and sharing domain. What is dirty is made durable
    /// first; the clone holds that, and may hold what is written while the call is under way. On a file system with reflinks (XFS, btrfs)
    /// the two have their blocks in common, and their pages in memory: reading the clone takes no I/O where the source is in memory.
    /// Elsewhere it is a plain copy, page by page, and the result says why. Durable on return. The clone has the source's
    /// <see cref="MappingOptions.Log"/>.
    /// </summary>
    /// <param name="path">Path of the clone, which must not exist.</param>
    /// <param name="cancellationToken">Stops it; there is no clone then.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="DirectoryNotFoundException">The clone's directory does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">Permission is denied.</exception>
    /// <exception cref="IOException">The file exists or cannot be created, or a page cannot be read or written. There is no clone.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<MappingClone> CloneAsync(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Cache.CloneAsync(this, path, Log, cancellationToken);
    }

    /// <summary>The same, for a clone whose changes go into another log than those of this mapping.</summary>
    /// <param name="path">Path of the clone, which must not exist.</param>
    /// <param name="log">The clone's <see cref="MappingOptions.Log"/>. It is asked for nothing before a page of the clone is marked with a number of its own.</param>
    /// <param name="cancellationToken">Stops it; there is no clone then.</param>
    /// <inheritdoc cref="CloneAsync(string, CancellationToken)"/>
    public ValueTask<MappingClone> CloneAsync(string path, IWriteAheadLog log, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(log);
        return Cache.CloneAsync(this, path, log, cancellationToken);
    }

    /// <summary>Makes a file that has just been created a clone of this one's, if the file system can.</summary>
    /// <returns>Why it cannot, as a sentence; null if it has.</returns>
    /// <exception cref="IOException">It can, and has failed.</exception>
    internal async Task<string?> TryCloneToAsync(FileBlockDevice device, CancellationToken cancellationToken)
    {
        if (Device is not FileBlockDevice source)
        {
            return $"'{Path}' is not a file.";
        }

        // Nobody cuts the file meanwhile.
        using (await EnterAsync(cancellationToken).ConfigureAwait(true))
        {
            ThrowIfClosed();
            CloneOutcome outcome = await DeviceBoundary.CloneFromAsync(device, source, cancellationToken).ConfigureAwait(true);
            return outcome.IsCloned ? null : $"'{device.Name}' cannot be a reflink of '{Path}': {outcome}.";
        }
    }

    /// <summary>
    /// Copies all pages to an empty mapping, and makes them durable: the first page when the others are, so that a file that is half copied, because the
    /// process has ended, does not begin like the source.
    /// </summary>
    internal async Task CopyToAsync(Mapping copy, CancellationToken cancellationToken)
    {
        long length = Length;
        long pages = length >> _pageShift;
        for (long page = 1; page < pages; page++)
        {
            await CopyToAsync(copy, page, cancellationToken).ConfigureAwait(true);
            if (page % CopiedAtOnce == CopiedAtOnce - 1)
            {
                // Written and clean, they are no more in the way than any that was read once.
                await copy.FlushAsync(cancellationToken).ConfigureAwait(true);
            }
        }

        if ((length & (PageSize - 1)) != 0)
        {
            await copy.ExtendAsync(length, cancellationToken).ConfigureAwait(true);
            using PageReadLease from = await ReadAsync(pages, cancellationToken).ConfigureAwait(true);
            using PageWriteLease to = await copy.WriteAsync(pages, cancellationToken).ConfigureAwait(true);
            copy.TakeCopy(this, from, to);
        }

        await copy.FlushAsync(cancellationToken).ConfigureAwait(true);
        if (pages > 0)
        {
            await CopyToAsync(copy, 0, cancellationToken).ConfigureAwait(true);
            await copy.FlushAsync(cancellationToken).ConfigureAwait(true);
        }
    }

    private async Task CopyToAsync(Mapping copy, long page, CancellationToken cancellationToken)
    {
        using PageReadLease from = await ReadAsync(page, cancellationToken).ConfigureAwait(true);
        using PageWriteLease to = await copy.WriteNewAsync(page, cancellationToken).ConfigureAwait(true);
        copy.TakeCopy(this, from, to);
    }

    private void TakeCopy(Mapping source, in PageReadLease from, in PageWriteLease to)
    {
        from.Span.CopyTo(to.Span);
        if (Log is null || Log != source.Log)
        {
            // A number means nothing in another log. What the copy needs of the source's is durable: the source was flushed.
            to.MarkDirty();
        }
        else
        {
            // What has been written to the source since it was flushed waits for the log in the copy as well (WB-16).
            to.MarkDirty(from.Lsn);
        }
    }
}
