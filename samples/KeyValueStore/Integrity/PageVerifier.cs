using System.Numerics;
using StorageCache.KeyValueStore.Format;

namespace StorageCache.KeyValueStore.Integrity;

/// <summary>Verifies pages against their checksums and the log's end: each once after it has been read from the device or changed, rather than on every visit (KV-13).</summary>
/// <remarks>
/// <para>
/// Who holds a latch finds in the page's private word whether the bytes are trusted; the cache sets that to 0 when it reads a page. But only the
/// holder of an exclusive latch can set it, and an optimistic reader cannot see it. So for tree pages the verifier also remembers the look,
/// an <see cref="OptimisticRead"/>, at which it found them right. The look stays valid exactly as long as nobody has changed the page, evicted it or
/// read it anew, whoever did that and why; so a page that the cache has read ahead, or that another reader has fetched, is never taken on trust.
/// </para>
/// <para>Looks are remembered in a table with one place for several pages, the last one wins; a page that is not there is verified again. Thread-safe.</para>
/// </remarks>
internal sealed class PageVerifier(Mapping mapping)
{
    private const int LeastPlaces = 256;
    private const int MostPlaces = 1 << 16;

    private readonly VerifiedPage?[] _verified = new VerifiedPage?[
        BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(mapping.Cache.MemoryLimit / mapping.PageSize, LeastPlaces, MostPlaces))];

    /// <summary>How far the store's log goes.</summary>
    public LogReach Reach { get; } = new();

    /// <summary>Verifies a tree page without a latch.</summary>
    /// <param name="look">The page; whatever is read of it from here on is right if it is valid then.</param>
    /// <param name="page">The page's number.</param>
    /// <returns>False when the page has changed meanwhile: begin again.</returns>
    /// <exception cref="CorruptStoreException">The checksum is wrong, or the log does not reach the page's last change.</exception>
    public bool TryVerify(in OptimisticRead look, long page)
    {
        if (IsRemembered(page))
        {
            return true;
        }

        bool isRight = PageChecksum.IsValid(look.Span, page);
        ulong lsn = PageHeader.Lsn(look.Span);
        if (!look.Validate())
        {
            return false;
        }

        if (!isRight)
        {
            throw Wrong(page);
        }

        if (Reach.ProblemOf(lsn) is { } problem)
        {
            throw new CorruptStoreException(mapping.Path, page, problem);
        }

        Remember(page, look);
        return true;
    }

    /// <summary>Verifies a tree page, and remembers it.</summary>
    /// <exception cref="CorruptStoreException">The checksum is wrong, or the log does not reach the page's last change.</exception>
    public void VerifyTreePage(in PageReadLease lease)
    {
        long page = lease.Page;
        if (IsRemembered(page))
        {
            return;
        }

        Verify(lease);
        if (mapping.TryReadOptimistic(page, out OptimisticRead look))
        {
            Remember(page, look);
        }
    }

    /// <summary>Verifies a page.</summary>
    /// <exception cref="CorruptStoreException">The checksum is wrong, or the log does not reach the page's last change.</exception>
    public void Verify(in PageReadLease lease)
    {
        if ((PageTrust)lease.PrivateWord == PageTrust.None)
        {
            VerifyRead(lease.Span, lease.Page);
        }
    }

    /// <summary>Verifies a tree page that is about to be changed in place, and that it can be; which makes its cells trusted.</summary>
    /// <exception cref="CorruptStoreException">The checksum is wrong, the log does not reach the page's last change, it is no tree page, or its cells do not fit it.</exception>
    public void VerifyTreePage(ref PageWriteLease lease)
    {
        if ((PageTrust)lease.PrivateWord == PageTrust.Cells)
        {
            return;
        }

        Verify(ref lease);

        // A checksum proves that the bytes are those that were written, not that whoever wrote them was sane.
        if (!new TreePage(lease.Span).IsConsistent)
        {
            throw CorruptStoreException.NotATreePage(mapping.Path, lease.Page);
        }

        lease.PrivateWord = (ulong)PageTrust.Cells;
    }

    /// <summary>Verifies a page that is about to be changed, which makes its bytes trusted.</summary>
    /// <exception cref="CorruptStoreException">The checksum is wrong, or the log does not reach the page's last change.</exception>
    public void Verify(ref PageWriteLease lease)
    {
        if ((PageTrust)lease.PrivateWord != PageTrust.None)
        {
            return;
        }

        VerifyRead(lease.Span, lease.Page);
        lease.PrivateWord = (ulong)PageTrust.Bytes;
    }

    /// <summary>Verifies what the device had of a page.</summary>
    private void VerifyRead(ReadOnlySpan<byte> bytes, long page)
    {
        if (!PageChecksum.IsValid(bytes, page))
        {
            throw Wrong(page);
        }

        if (Reach.ProblemOf(bytes) is { } problem)
        {
            throw new CorruptStoreException(mapping.Path, page, problem);
        }
    }

    private bool IsRemembered(long page) => Volatile.Read(ref PlaceOf(page)) is { } verified && verified.Page == page && verified.Look.Validate();

    private void Remember(long page, in OptimisticRead look) => Volatile.Write(ref PlaceOf(page), new VerifiedPage(page, look));

    private ref VerifiedPage? PlaceOf(long page) => ref _verified[page & (_verified.Length - 1)];

    private CorruptStoreException Wrong(long page) => new(mapping.Path, page, PageChecksum.Problem);
}
