namespace StorageCache.KeyValueStore.Integrity;

/// <summary>Ends a change of a page. Nothing else marks pages dirty, but for the meta page (KV-13).</summary>
internal static class PageSeal
{
    /// <summary>Gives the page its checksum and marks it dirty.</summary>
    /// <param name="lease">The page.</param>
    /// <param name="trust">What whoever changed the page can say of it.</param>
    /// <remarks>
    /// It cannot be put off until the page is written: the cache writes pages whenever it likes, from the moment the lease ends.
    /// </remarks>
    public static void Seal(this ref PageWriteLease lease, PageTrust trust = PageTrust.Bytes)
    {
        PageChecksum.Write(lease.Span, lease.Page);
        lease.PrivateWord = (ulong)trust;
        lease.MarkDirty();
    }

    /// <summary>Gives the page new contents, a tree page's, which have the page's checksum already, and marks it dirty.</summary>
    public static void Replace(this ref PageWriteLease lease, ReadOnlySpan<byte> image)
    {
        image.CopyTo(lease.Span);
        lease.PrivateWord = (ulong)PageTrust.Cells;
        lease.MarkDirty();
    }
}
