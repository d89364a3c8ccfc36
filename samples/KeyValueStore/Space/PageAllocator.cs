using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;

namespace StorageCache.KeyValueStore.Space;

/// <summary>Hands out pages: from the free list, else from the end of the file.</summary>
/// <remarks>
/// <para>The free list is a chain of pages linked by their <c>next</c> field, last freed first used.</para>
/// <para>
/// A value's chain of overflow pages has the same links, so it goes on the free list in one step, by pointing its last page at the old
/// head (KV-9). Until then it waits among the <em>detached</em> chains: for its readers to finish, and for somebody to need pages.
/// </para>
/// <para>Only the holder of the writer lock may call this; <see cref="PageCount"/> may be read by anybody.</para>
/// </remarks>
internal sealed class PageAllocator(Mapping mapping, PageLimits limits, ActiveReads activeReads, PageVerifier verifier)
{
    private readonly List<OverflowReference> _detached = [];
    private long _pageCount;

    /// <summary>Pages of the file, page 0 included. It never shrinks.</summary>
    public long PageCount
    {
        get => Volatile.Read(ref _pageCount);
        private set => Volatile.Write(ref _pageCount, value);
    }

    /// <summary>First page of the free list; 0 when it is empty.</summary>
    public long FreeHead { get; private set; }

    /// <summary>Pages on the free list.</summary>
    public long FreePages { get; private set; }

    /// <summary>Pages of the detached chains.</summary>
    public long DetachedPages { get; private set; }

    /// <summary>Chains that nothing refers to any more and that are not on the free list yet.</summary>
    public IReadOnlyList<OverflowReference> Detached => _detached;

    /// <summary>Takes over what the meta page says.</summary>
    public void Restore(long pageCount, long freeHead, long freePages)
    {
        PageCount = pageCount;
        FreeHead = freeHead;
        FreePages = freePages;
    }

    /// <summary>Leases a page for a new use; its bytes are zero. On an exception nothing has changed.</summary>
    /// <param name="isHeld">Says which pages the caller holds: a free list that leads to one of them would have it wait for itself.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<PageWriteLease> AllocateAsync(Predicate<long> isHeld, CancellationToken cancellationToken)
    {
        if (FreeHead == 0 && _detached.Count > 0)
        {
            await ReclaimAsync(isHeld, cancellationToken).ConfigureAwait(false);
        }

        if (FreeHead == 0)
        {
            PageWriteLease added = await mapping.WriteNewAsync(PageCount, cancellationToken).ConfigureAwait(false);
            PageCount++;
            return added;
        }

        if (isHeld(FreeHead))
        {
            throw new CorruptStoreException(mapping.Path, FreeHead, "it is in use, and on the free list");
        }

        PageWriteLease lease = await mapping.WriteAsync(FreeHead, cancellationToken).ConfigureAwait(false);
        try
        {
            TakeFree(ref lease);
            return lease;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    /// <summary>Puts a page on the free list. It cannot fail, so that a change that has begun can be completed or taken back.</summary>
    /// <param name="lease">The page, held exclusively; it stays held.</param>
    public void Free(ref PageWriteLease lease)
    {
        PageHeader.InitializeFree(lease.Span, FreeHead);
        lease.Seal();
        FreeHead = lease.Page;
        FreePages++;
    }

    /// <summary>Takes over a chain that nothing refers to any more.</summary>
    public void Detach(in OverflowReference chain)
    {
        _detached.Add(chain);
        DetachedPages += limits.OverflowPages(chain.Length);
    }

    /// <summary>Puts the detached chains that nobody reads on the free list.</summary>
    /// <param name="isHeld">Says which pages the caller holds.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask ReclaimAsync(Predicate<long> isHeld, CancellationToken cancellationToken)
    {
        for (int i = _detached.Count - 1; i >= 0; i--)
        {
            OverflowReference chain = _detached[i];
            if (activeReads.IsActive(chain.FirstPage))
            {
                continue;
            }

            if (isHeld(chain.LastPage))
            {
                throw NotTheLastPage(chain);
            }

            await LinkLastPageAsync(chain, FreeHead, cancellationToken).ConfigureAwait(false);
            long pages = limits.OverflowPages(chain.Length);
            FreeHead = chain.FirstPage;
            FreePages += pages;
            DetachedPages -= pages;
            _detached.RemoveAt(i);
        }
    }

    /// <summary>Links the chains that are still read in front of the free list, as a reader of the file after the flush shall see it.</summary>
    /// <remarks>
    /// The free list in memory stays without them. Readers do not look at the link of a value's last page, so writing it disturbs nobody.
    /// </remarks>
    /// <returns>The head of that longer list.</returns>
    public async ValueTask<long> LinkDetachedAsync(CancellationToken cancellationToken)
    {
        long head = FreeHead;
        foreach (OverflowReference chain in _detached)
        {
            await LinkLastPageAsync(chain, head, cancellationToken).ConfigureAwait(false);
            head = chain.FirstPage;
        }

        return head;
    }

    private async ValueTask LinkLastPageAsync(OverflowReference chain, long next, CancellationToken cancellationToken)
    {
        PageWriteLease lease = await mapping.WriteAsync(chain.LastPage, cancellationToken).ConfigureAwait(false);
        try
        {
            verifier.Verify(ref lease);
            Span<byte> page = lease.Span;
            if (PageHeader.Kind(page) != PageKind.Overflow || PageHeader.FirstPage(page) != chain.FirstPage)
            {
                throw NotTheLastPage(chain);
            }

            PageHeader.SetNext(page, next);
            lease.Seal();
        }
        finally
        {
            lease.Dispose();
        }
    }

    /// <summary>Takes the first page of the free list off it.</summary>
    private void TakeFree(ref PageWriteLease lease)
    {
        verifier.Verify(ref lease);
        Span<byte> page = lease.Span;
        long next = PageHeader.Next(page);
        bool last = FreePages == 1;
        if (PageHeader.Kind(page) is not (PageKind.Free or PageKind.Overflow) || (!last && !IsUsable(next)))
        {
            throw new CorruptStoreException(mapping.Path, FreeHead, "the free list leads to a page that is not free");
        }

        page.Clear();
        FreeHead = last ? 0 : next;
        FreePages--;
    }

    private CorruptStoreException NotTheLastPage(in OverflowReference chain) =>
        new(mapping.Path, chain.LastPage, $"it is not the last page of the value that begins at page {chain.FirstPage}");

    /// <summary>Whether a page is one that the store uses and that others may lead to.</summary>
    public bool IsUsable(long page) => page > MetaPage.RootPage && page < PageCount;
}
