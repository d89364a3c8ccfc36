using System.Runtime.CompilerServices;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Space;
using StorageCache.KeyValueStore.Tree;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    /// <summary>Gives the entries between two keys in order, either way.</summary>
    /// <param name="options">Which entries; null means all, least key first.</param>
    /// <param name="cancellationToken">Ends the scan.</param>
    /// <remarks>
    /// Beside writers each key comes at most once and in order, and a key that is there throughout does come; a scan is not a snapshot of
    /// one moment. Between two entries it holds nothing, so it may be left half way or taken up much later.
    /// </remarks>
    /// <exception cref="ArgumentException">A bound is too long, or the bounds are the wrong way round.</exception>
    public IAsyncEnumerable<KeyValueEntry> ScanAsync(ScanOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new ScanOptions();
        options.Validate();
        if (_gate.IsClosed)
        {
            Throw.Closed(Path);
        }

        return options.Reverse ? ScanBackwardAsync(options, cancellationToken) : ScanForwardAsync(options, cancellationToken);
    }

    private async IAsyncEnumerable<KeyValueEntry> ScanForwardAsync(ScanOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        LeafSnapshot snapshot = new(PageSize);
        LeavesAhead leaves = new(_mapping, _limits, options);
        ValuesAhead values = new(_mapping, _limits, options);
        ReadOnlyMemory<byte> from = options.From;
        long remaining = options.Limit ?? long.MaxValue;
        while (remaining > 0)
        {
            await ReadLeafAsync(new SeekTarget(SeekKind.Containing, from), snapshot, leaves, cancellationToken).ConfigureAwait(false);
            int index = LowerBound(snapshot, from.Span, out int count);
            values.Begin(index);
            LookAhead(leaves, remaining > count - index);
            for (; index < count && remaining > 0; index++)
            {
                (KeyValueEntry entry, bool isOverflow) = EntryAt(snapshot, index, options.KeysOnly);
                if (!options.To.IsEmpty && entry.Key.Span.SequenceCompareTo(options.To.Span) >= 0)
                {
                    yield break;
                }

                KeyValueEntry? given = isOverflow && !options.KeysOnly
                    ? await CompleteAsync(entry, values, snapshot, index, remaining, cancellationToken).ConfigureAwait(false)
                    : entry;
                if (given is { } complete)
                {
                    remaining--;
                    yield return complete;
                }
            }

            Fences fences = snapshot.Fences;
            if (!fences.HasUpper || (!options.To.IsEmpty && fences.Upper.Span.SequenceCompareTo(options.To.Span) >= 0))
            {
                yield break;
            }

            // The next leaf is found from the root again: a link taken from a copy may lead to a page that has been merged since,
            // the bound between the leaves is true whatever has become of them.
            ReadOnlyMemory<byte> next = fences.Upper.ToArray();
            ThrowUnlessAscending(from.Span, next.Span, snapshot.Page);
            from = next;
        }
    }

    private async IAsyncEnumerable<KeyValueEntry> ScanBackwardAsync(ScanOptions options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        LeafSnapshot snapshot = new(PageSize);
        LeavesAhead leaves = new(_mapping, _limits, options);
        ValuesAhead values = new(_mapping, _limits, options);
        ReadOnlyMemory<byte> to = options.To;
        long remaining = options.Limit ?? long.MaxValue;
        while (remaining > 0)
        {
            SeekTarget target = new(to.IsEmpty ? SeekKind.Last : SeekKind.Before, to);
            await ReadLeafAsync(target, snapshot, leaves, cancellationToken).ConfigureAwait(false);
            int end = LowerBound(snapshot, to.Span, out int count);
            int index = (to.IsEmpty ? count : end) - 1;
            values.Begin(index);
            LookAhead(leaves, remaining > index + 1);
            for (; index >= 0 && remaining > 0; index--)
            {
                (KeyValueEntry entry, bool isOverflow) = EntryAt(snapshot, index, options.KeysOnly);
                if (entry.Key.Span.SequenceCompareTo(options.From.Span) < 0)
                {
                    yield break;
                }

                KeyValueEntry? given = isOverflow && !options.KeysOnly
                    ? await CompleteAsync(entry, values, snapshot, index, remaining, cancellationToken).ConfigureAwait(false)
                    : entry;
                if (given is { } complete)
                {
                    remaining--;
                    yield return complete;
                }
            }

            Fences fences = snapshot.Fences;
            if (!fences.HasLower || fences.Lower.Span.SequenceCompareTo(options.From.Span) <= 0)
            {
                yield break;
            }

            ReadOnlyMemory<byte> next = fences.Lower.ToArray();
            if (!to.IsEmpty)
            {
                ThrowUnlessAscending(next.Span, to.Span, snapshot.Page);
            }

            to = next;
        }
    }

    /// <summary>Copies the leaf that a target means, with its range.</summary>
    private async ValueTask ReadLeafAsync(SeekTarget target, LeafSnapshot snapshot, LeavesAhead leaves, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        cancellationToken.ThrowIfCancellationRequested();
        PageAccess access = AccessWith(cancellationToken);
        for (int attempt = 0; attempt < TreeReader.OptimisticAttempts; attempt++)
        {
            switch (TryReadLeaf(target, snapshot, leaves, out long missing))
            {
                case DescentStatus.Arrived:
                    return;
                case DescentStatus.Miss:
                    await access.FetchAsync(missing).ConfigureAwait(false);
                    break;
            }
        }

        using PageReadLease lease = await _reader.DescendCoupledAsync(target, snapshot.Fences, access).ConfigureAwait(false);
        lease.Span.CopyTo(snapshot.Bytes);
        snapshot.Page = lease.Page;
    }

    private DescentStatus TryReadLeaf(in SeekTarget target, LeafSnapshot snapshot, LeavesAhead leaves, out long missing)
    {
        DescentStatus status = _reader.TryDescend(target, snapshot.Fences, out OptimisticRead leaf, out missing, leaves);
        if (status != DescentStatus.Arrived)
        {
            return status;
        }

        leaf.Span.CopyTo(snapshot.Bytes);
        snapshot.Page = leaf.Page;
        return leaf.Validate() ? DescentStatus.Arrived : DescentStatus.Restart;
    }

    private int LowerBound(LeafSnapshot snapshot, ReadOnlySpan<byte> key, out int count)
    {
        TreePage page = new(snapshot.Bytes);
        count = page.Count;
        if (!page.IsPlausible || !page.TrySearch(key, out int index, out _))
        {
            throw _reader.NotATreePage(snapshot.Page);
        }

        ThrowUnlessWithin(page, snapshot);
        return index;
    }

    /// <summary>A leaf that is not where the tree has it (KV-2) is one of another time, whose last write was lost: its keys may come before others, or again.</summary>
    private void ThrowUnlessWithin(TreePage page, LeafSnapshot snapshot)
    {
        Fences fences = snapshot.Fences;
        if (page.Count > 0 && page.TryGetCell(0, out TreeCell first) && page.TryGetCell(page.Count - 1, out TreeCell last)
            && ((fences.HasLower && first.Key.SequenceCompareTo(fences.Lower.Span) < 0) || (fences.HasUpper && last.Key.SequenceCompareTo(fences.Upper.Span) >= 0)))
        {
            throw new CorruptStoreException(Path, snapshot.Page, "it has keys that lie outside the separators around it");
        }
    }

    private (KeyValueEntry Entry, bool IsOverflow) EntryAt(LeafSnapshot snapshot, int index, bool keysOnly)
    {
        OverflowReference reference = default;
        if (!new TreePage(snapshot.Bytes).TryGetCell(index, out TreeCell cell)
            || (cell.IsOverflow && !OverflowReference.TryRead(cell.Payload, out reference)))
        {
            throw _reader.NotATreePage(snapshot.Page);
        }

        return cell.IsOverflow
            ? (new KeyValueEntry(cell.Key.ToArray(), reference.Length, default), true)
            : (new KeyValueEntry(cell.Key.ToArray(), cell.Payload.Length, keysOnly ? default : cell.Payload.ToArray()), false);
    }

    /// <summary>Reads the value that an entry lacks. Null when the key has been removed since its leaf was copied.</summary>
    private async ValueTask<KeyValueEntry?> CompleteAsync(
        KeyValueEntry entry, ValuesAhead values, LeafSnapshot snapshot, int index, long remaining, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        values.Advance(snapshot, index, remaining);
        byte[]? value = await GetCoreAsync(entry.Key, cancellationToken).ConfigureAwait(false);
        return value is null ? null : new KeyValueEntry(entry.Key, value.Length, value);
    }

    /// <summary>Asks for the leaves to come, if the scan goes on to them.</summary>
    private void LookAhead(LeavesAhead leaves, bool goesOn)
    {
        if (goesOn)
        {
            using OperationGate.Ticket ticket = Enter();
            leaves.Advance(_allocator);
        }
    }

    /// <summary>A scan moves on strictly, so that not even a corrupt tree can make it go in a circle.</summary>
    private void ThrowUnlessAscending(ReadOnlySpan<byte> low, ReadOnlySpan<byte> high, long page)
    {
        if (low.SequenceCompareTo(high) >= 0)
        {
            throw new CorruptStoreException(Path, page, "the separators around it are not in order");
        }
    }
}
