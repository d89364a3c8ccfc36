using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace StorageCache;

/// <summary>Makes and throws the cache's exceptions, with messages that say which file and page, and what to do.</summary>
internal static class Throw
{
    /// <summary>The lease holds nothing.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void LeaseNotHeld() =>
        throw new InvalidOperationException("The lease is not held: it was disposed of, or never acquired.");

    /// <summary>A page number below zero.</summary>
    public static void IfNegativePage(long page) => ArgumentOutOfRangeException.ThrowIfNegative(page);

    /// <summary>A page number below zero, or one whose end is beyond what a length in bytes can say.</summary>
    public static void IfNoPage(long page, int pageShift)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(page);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(page, (long.MaxValue >> pageShift) - 1);
    }

    /// <summary>A time-out that is neither positive nor infinite.</summary>
    public static void IfBadTimeout(TimeSpan timeout)
    {
        if (timeout != Timeout.InfiniteTimeSpan && (timeout <= TimeSpan.Zero || timeout > TimeSpan.FromDays(24)))
        {
            throw new ArgumentOutOfRangeException(nameof(timeout), timeout, $"The time-out is {timeout}; allowed: above zero and at most 24 days, or Timeout.InfiniteTimeSpan.");
        }
    }

    /// <summary>See <see cref="NotSupportedException"/>.</summary>
    public static Exception MakeReadOnly(Mapping mapping) =>
        new NotSupportedException($"'{mapping.Path}' is open for reading only.");

    /// <summary>See <see cref="CacheFullException"/>.</summary>
    public static Exception MakeCacheFull(Mapping mapping, long page, TimeSpan waited) => mapping.Cache.IsDisposed ? new CacheDisposedException() : new CacheFullException(
        $"No frame came free for page {page} of '{mapping.Path}' within {waited}: every page of the cache is pinned, latched or dirty. Return leases and pins, or raise the memory limit ({mapping.Cache.MemoryLimit} bytes).",
        mapping.Path,
        page);

    /// <summary>See <see cref="PageTruncatedException"/>.</summary>
    public static Exception MakeTruncated(Mapping mapping, long page) => new PageTruncatedException(
        $"Page {page} lies beyond the end of '{mapping.Path}' ({mapping.Length} bytes, {mapping.PageCount} pages).",
        mapping.Path,
        page);

    /// <summary>See <see cref="LatchTimeoutException"/>.</summary>
    public static Exception MakeLatchTimeout(Mapping mapping, long page) => new LatchTimeoutException(
        $"Page {page} of '{mapping.Path}' did not become available in time.",
        mapping.Path,
        page);

    /// <summary>See <see cref="PageReadException"/>.</summary>
    public static Exception MakeReadFailed(Mapping mapping, long page, IOException error) => new PageReadException(
        $"Page {page} of '{mapping.Path}' could not be read: {error.Message}",
        mapping.Path,
        page,
        error);

    /// <summary>See <see cref="PageCorruptException"/>.</summary>
    public static PageCorruptException MakeCorrupt(string path, long page, in PageDefect defect) => new(
        $"Page {page} of '{path}' is corrupt: {defect}.",
        path,
        page,
        defect);

    /// <summary>See <see cref="PageCorruptException"/>.</summary>
    public static PageCorruptException MakeCutOff(string path, long length, int pageSize) => MakeCorrupt(path, length / pageSize, new PageDefect(
        $"the file ends within it, at {length} bytes; one with a codec is a multiple of the page size ({pageSize} bytes) long: cut it there, or restore what is missing"));

    /// <summary>A length that pages cannot be encoded in.</summary>
    public static void IfNotWholePages(Mapping mapping, long length)
    {
        if (mapping.Codec is not null && length % mapping.PageSize != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(length), length, $"The length of '{mapping.Path}' is to be {length} bytes; allowed, since it has a codec: multiples of the page size ({mapping.PageSize} bytes).");
        }
    }

    /// <summary>What a codec has thrown, as the failure of a transfer.</summary>
    public static IO.BlockIOException MakeCodecFailed(Mapping mapping, long page, string what, Exception error) => new(
        $"{what} page {page} of '{mapping.Path}' failed: its codec ({mapping.Codec!.GetType().Name}) has thrown {error.GetType().Name}: {error.Message}",
        Platform.Errno.EIO,
        error);

    /// <summary>See <see cref="CacheFullException"/>.</summary>
    public static Exception MakeNoRoomForCodec(PageCache cache) => new CacheFullException(
        $"There is no room within the memory limit ({cache.MemoryLimit} bytes) for a page that is encoded, and nothing can be evicted for it.",
        path: string.Empty);

    /// <summary>See <see cref="PageWriteException"/>.</summary>
    public static Exception MakeWriteFailed(Mapping mapping, long page, IOException error) => new PageWriteException(
        $"Page {page} of '{mapping.Path}' could not be written and stays dirty: {error.Message}",
        mapping.Path,
        page,
        error);

    /// <summary>See <see cref="PageWriteException"/>.</summary>
    public static PageWriteException MakeLogFailed(Mapping mapping, long page, ulong lsn, Exception error) => new(
        $"Page {page} of '{mapping.Path}' stays dirty, for the log did not become durable up to its last change ({lsn}): {error.Message}",
        mapping.Path,
        page,
        error);

    /// <summary>See <see cref="PageWriteException"/>.</summary>
    public static Exception MakeCutFailed(Mapping mapping, long length, IOException error) => new PageWriteException(
        $"'{mapping.Path}' could not be cut to {length} bytes and keeps its length: {error.Message}",
        mapping.Path,
        length / mapping.PageSize,
        error);

    /// <summary>See <see cref="PageWriteException"/>.</summary>
    public static Exception MakePunchFailed(Mapping mapping, long firstPage, long endPage, IOException error) => new PageWriteException(
        $"Pages {firstPage} to {endPage - 1} of '{mapping.Path}' could not be punched: {error.Message}",
        mapping.Path,
        firstPage,
        error);

    /// <summary>See <see cref="FlushFailedException"/>.</summary>
    public static Exception MakeFlushFailed(Mapping mapping, Exception error)
    {
        mapping.NoteFailureTold();
        return new FlushFailedException(
            $"'{mapping.Path}' could not be made durable, and pages written since the last flush may be lost: {error.Message}",
            mapping.Path,
            inner: error);
    }

    /// <summary>See <see cref="MappingFailedException"/>.</summary>
    public static Exception MakeMappingFailed(Mapping mapping)
    {
        mapping.NoteFailureTold();
        return new MappingFailedException(
            $"'{mapping.Path}' failed to become durable earlier and takes no changes: close it, reopen it and recover.",
            mapping.Path,
            inner: mapping.Failure);
    }

    /// <summary>See <see cref="MappingFailedException"/>.</summary>
    public static IOException MakeLost(Mapping mapping, long page) => new MappingFailedException(
        $"Page {page} of '{mapping.Path}' is not in memory, and the device may have lost what was written to it: the file failed to become durable earlier. Close it, reopen it and recover.",
        mapping.Path,
        page,
        mapping.Failure);

    /// <summary>See <see cref="MappingBusyException"/>.</summary>
    public static Exception MakeBusy(Mapping mapping, long page) => new MappingBusyException(
        $"'{mapping.Path}' cannot be closed: page {page} is still leased or pinned.",
        mapping.Path,
        page);

    /// <summary>See <see cref="MappingLockedException"/>.</summary>
    public static Exception MakeLocked(string path) => new MappingLockedException(
        $"'{path}' is locked by another process or another cache.",
        path);

    /// <summary>See <see cref="MappingInUseException"/>.</summary>
    public static Exception MakeInUse(Mapping mapping, string reason) => new MappingInUseException(
        $"'{mapping.Path}' is open {reason}.",
        mapping.Path);

    /// <summary>The mapping, or the cache with it, is gone.</summary>
    public static Exception MakeClosed(Mapping mapping) =>
        mapping.Cache.IsDisposed ? new CacheDisposedException() : new MappingClosedException(mapping.Path);

    /// <summary>See <see cref="CacheFullException"/>.</summary>
    public static Exception MakeTooManyHolds(Mapping mapping, long page, ProtectionReason reason) => new CacheFullException(
        $"Page {page} of '{mapping.Path}' is held 65,535 times for the reason {reason} already; dispose of some.", mapping.Path, page);

    /// <summary>See <see cref="CacheFullException"/>.</summary>
    public static Exception MakeNoRoomForIndex(PageCache cache, SharingDomain domain) => new CacheFullException(
        $"There is no room within the memory limit ({cache.MemoryLimit} bytes) for the index that the sharing domain '{domain}' needs, and nothing can be evicted for it.",
        path: string.Empty);
}
