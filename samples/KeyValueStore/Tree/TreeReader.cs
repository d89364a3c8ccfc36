using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Tree;

/// <summary>Finds the leaf for a key beside writers.</summary>
/// <remarks>
/// <para>
/// The usual way is optimistic and version-coupled (KV-5): read the parent, validate it, take the child's version, validate the parent again,
/// and only then read the child. A change of the tree holds all its pages exclusively until it is complete, so a reader that validates has
/// walked one consistent tree.
/// </para>
/// <para>
/// After <see cref="OptimisticAttempts"/> attempts the reader takes shared leases instead, parent before child, and lets go of the parent
/// when it has the child. Writers lease in the same order, from the root down and from left to right, so that nobody waits in a circle (KV-7).
/// </para>
/// <para>
/// Owns the pin of the root, which is not to be copied: whoever makes the reader gives the pin away, and only the reader returns it.
/// </para>
/// <para>Thread-safe but for <see cref="Dispose"/>; it writes nothing that others share.</para>
/// </remarks>
internal sealed class TreeReader(Mapping mapping, PagePin root, PageAllocator allocator, PageVerifier verifier) : IDisposable
{
    /// <summary>Restarts and misses together after which a reader takes leases.</summary>
    public const int OptimisticAttempts = 16;

    /// <summary>Makes one optimistic attempt; never waits and does no I/O.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="fences">Receives the leaf's range; null when nobody needs it. Garbage unless the status is Arrived and the leaf validates.</param>
    /// <param name="leaf">The leaf; its bytes must be validated after use. Whoever finds them impossible validates before calling it corruption.</param>
    /// <param name="missing">With <see cref="DescentStatus.Miss"/>: the page to get.</param>
    /// <param name="ahead">Receives the leaves that follow; null when nobody needs them. A hint at best.</param>
    public DescentStatus TryDescend(in SeekTarget target, Fences? fences, out OptimisticRead leaf, out long missing, LeavesAhead? ahead = null)
    {
        missing = MetaPage.RootPage;
        fences?.Reset();
        if (!root.TryReadOptimistic(out leaf))
        {
            return DescentStatus.Miss;
        }

        long number = MetaPage.RootPage;
        int expectedLevel = -1;
        while (true)
        {
            if (!verifier.TryVerify(leaf, number))
            {
                return DescentStatus.Restart;
            }

            TreePage page = new(leaf.Span);
            int level = page.Level;
            bool plausible = page.IsPlausible && (expectedLevel < 0 || level == expectedLevel);
            if (plausible && level == 0)
            {
                return DescentStatus.Arrived;
            }

            long child = 0;
            plausible = plausible && page.TryFindChild(target, out int index, out child) && TrySetFences(fences, page, index)
                && (level != 1 || ahead is null || ahead.TryNote(page, index));
            if (!leaf.Validate())
            {
                return DescentStatus.Restart;
            }

            if (!plausible || !allocator.IsUsable(child))
            {
                throw NotATreePage(leaf.Page);
            }

            if (!mapping.TryReadOptimistic(child, out OptimisticRead next))
            {
                missing = child;
                return DescentStatus.Miss;
            }

            // The child's version is only worth something when the parent still led there at a time after it was taken.
            if (!leaf.Validate())
            {
                return DescentStatus.Restart;
            }

            leaf = next;
            number = child;
            expectedLevel = level - 1;
        }
    }

    /// <summary>Descends with shared leases; for a reader whose optimistic attempts keep failing.</summary>
    /// <returns>The leaf, which the caller releases.</returns>
    public async ValueTask<PageReadLease> DescendCoupledAsync(SeekTarget target, Fences? fences, PageAccess access)
    {
        fences?.Reset();
        PageReadLease lease = await access.ReadAsync(MetaPage.RootPage).ConfigureAwait(false);
        int expectedLevel = -1;
        while (true)
        {
            PageReadLease parent = lease;
            try
            {
                verifier.VerifyTreePage(lease);
                if (!TryStep(target, fences, lease.Span, ref expectedLevel, out long child))
                {
                    throw NotATreePage(lease.Page);
                }

                if (child == 0)
                {
                    parent = default;
                    return lease;
                }

                lease = await access.ReadAsync(child).ConfigureAwait(false);
            }
            finally
            {
                if (parent.IsHeld)
                {
                    parent.Dispose();
                }
            }
        }
    }

    /// <summary>Returns the pin of the root; nobody descends any more. Does nothing the second time.</summary>
    public void Dispose() => root.Dispose();

    public CorruptStoreException NotATreePage(long page) => CorruptStoreException.NotATreePage(mapping.Path, page);

    /// <summary>Looks at one page of a coupled descent; the child is 0 at the leaf.</summary>
    private bool TryStep(in SeekTarget target, Fences? fences, ReadOnlySpan<byte> bytes, ref int expectedLevel, out long child)
    {
        child = 0;
        TreePage page = new(bytes);
        int level = page.Level;
        if (!page.IsPlausible || (expectedLevel >= 0 && level != expectedLevel))
        {
            return false;
        }

        expectedLevel = level - 1;
        return level == 0
            || (page.TryFindChild(target, out int index, out child) && TrySetFences(fences, page, index) && allocator.IsUsable(child));
    }

    private static bool TrySetFences(Fences? fences, TreePage page, int index)
    {
        if (fences is null)
        {
            return true;
        }

        if (index > 0)
        {
            if (!page.TryGetCell(index, out TreeCell cell))
            {
                return false;
            }

            fences.SetLower(cell.Key);
        }

        if (index + 1 < page.Count)
        {
            if (!page.TryGetCell(index + 1, out TreeCell cell))
            {
                return false;
            }

            fences.SetUpper(cell.Key);
        }

        return true;
    }
}
