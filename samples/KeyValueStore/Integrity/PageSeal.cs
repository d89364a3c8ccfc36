using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Integrity;

/// <summary>Ends a change of a page. Nothing else marks pages dirty, but for the meta page (KV-13).</summary>
internal static class PageSeal
{
    /// <summary>Gives the page new contents, with its LSN and its checksum, and marks it dirty.</summary>
    /// <param name="lease">The page.</param>
    /// <param name="image">Its bytes, in which LSN and checksum mean nothing.</param>
    /// <param name="lsn">LSN of the log record that says what the page is now.</param>
    /// <param name="trust">What whoever changed the page can say of it.</param>
    /// <remarks>
    /// It cannot be put off until the page is written: the cache writes pages whenever it likes, from the moment the lease ends and the log is
    /// durable up to the LSN.
    /// </remarks>
    public static void Replace(this ref PageWriteLease lease, ReadOnlySpan<byte> image, ulong lsn, PageTrust trust)
    {
        Span<byte> page = lease.Span;
        image.CopyTo(page);
        lease.Seal(lsn, trust);
    }

    /// <summary>Gives the page, whose bytes have been changed, its LSN and its checksum, and marks it dirty.</summary>
    /// <inheritdoc cref="Replace"/>
    public static void Seal(this ref PageWriteLease lease, ulong lsn, PageTrust trust)
    {
        Span<byte> page = lease.Span;
        PageHeader.SetLsn(page, lsn);
        PageChecksum.Write(page, lease.Page);
        lease.PrivateWord = (ulong)trust;
        lease.MarkDirty(lsn);
    }
}
