using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;

namespace StorageCache.KeyValueStore.Space;

/// <summary>Finds the pages of a large value that is to be freed.</summary>
internal sealed class ValuePages(Mapping mapping, PageAllocator allocator, PageLimits limits, PageVerifier verifier)
{
    /// <summary>All pages of a value. None is read if they are neighbours.</summary>
    /// <exception cref="CorruptStoreException">The chain leads to a page that is not the value's.</exception>
    public async ValueTask<PageRun[]> FindAsync(OverflowReference value, CancellationToken cancellationToken)
    {
        int pages = (int)limits.OverflowPages(value.Length);
        if (value.IsRun)
        {
            return [new PageRun(value.FirstPage, pages)];
        }

        List<PageRun> runs = [];
        long page = value.FirstPage;
        for (int index = 0; index < pages; index++)
        {
            if (!allocator.IsUsable(page))
            {
                throw new CorruptStoreException(mapping.Path, value.FirstPage, $"the value that begins here has piece {index} on page {page}, which is outside the file or no page of a value");
            }

            if (runs.Count > 0 && runs[^1] is { } last && last.First + last.Count == page)
            {
                runs[^1] = last with { Count = last.Count + 1 };
            }
            else
            {
                runs.Add(new PageRun(page, 1));
            }

            using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
            verifier.Verify(lease);
            int length = Math.Min(value.Length - (index * limits.OverflowPayload), limits.OverflowPayload);
            if (!PageHeader.IsPiece(lease.Span, value.FirstPage, index, length))
            {
                throw new CorruptStoreException(mapping.Path, page, $"it is not piece {index} of the value that begins at page {value.FirstPage}");
            }

            page = PageHeader.Next(lease.Span);
        }

        return [.. runs];
    }
}
