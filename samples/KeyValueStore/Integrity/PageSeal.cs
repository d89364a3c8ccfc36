namespace StorageCache.KeyValueStore.Integrity;

/// <summary>Ends a change of a page. Nothing else marks pages dirty, but for the meta page (KV-13).</summary>
internal static class PageSeal
{
    /// <summary>What <see cref="PageWriteLease.PrivateWord"/> says of a page whose bytes in memory are right; 0 since they were read from the device.</summary>
    public const ulong Trusted = 1;

    /// <summary>Gives the page its checksum and marks it dirty.</summary>
    /// <remarks>
    /// It cannot be put off until the page is written: the cache writes pages whenever it likes, from the moment the lease ends.
    /// </remarks>
    public static void Seal(this ref PageWriteLease lease)
    {
        PageChecksum.Write(lease.Span, lease.Page);
        lease.PrivateWord = Trusted;
        lease.MarkDirty();
    }

    /// <summary>Gives the page new contents, which have the page's checksum already, and marks it dirty.</summary>
    public static void Replace(this ref PageWriteLease lease, ReadOnlySpan<byte> image)
    {
        image.CopyTo(lease.Span);
        lease.PrivateWord = Trusted;
        lease.MarkDirty();
    }
}
