using StorageCache.KeyValueStore.Commits;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore.Recovery;

/// <summary>Does again what the log says was committed, from the redo point to the last commit that is complete.</summary>
/// <remarks>
/// The log is read twice: for the last commit, and to do everything up to it again. Each page comes as a whole first (KV-16), so redo reads no page of the
/// file but those that it has written itself; doing it again from the start, after a crash in between, gives the same.
/// </remarks>
internal sealed class Redo(Mapping mapping, WriteAheadLog log, PageVerifier verifier)
{
    private ulong _lastCommit;
    private StoreContents _contents;

    /// <summary>Commits found.</summary>
    public long Commits { get; private set; }

    /// <summary>Changes of pages done again.</summary>
    public long PageChanges { get; private set; }

    /// <summary>Finds the last commit. Changes nothing.</summary>
    /// <param name="contents">The contents at the redo point.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The contents after the last commit.</returns>
    /// <exception cref="CorruptLogException">A record is whole, and still impossible.</exception>
    public async ValueTask<StoreContents> FindAsync(StoreContents contents, CancellationToken cancellationToken)
    {
        _contents = contents;
        await foreach (LogRecord record in log.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if ((RecordKind)record.Kind == RecordKind.Commit)
            {
                if (record.Payload.Length < StoreContents.Size || !StoreContents.TryRead(record.Payload.Span, out _contents))
                {
                    throw Impossible(record);
                }

                _lastCommit = record.Lsn;
                Commits++;
            }
        }

        return _contents;
    }

    /// <summary>Brings the pages in the cache to what the last commit made of them; after <see cref="FindAsync"/>.</summary>
    /// <param name="cancellationToken">Gives up; the file can be recovered again.</param>
    /// <exception cref="CorruptLogException">A record is whole, and still impossible.</exception>
    public async ValueTask ApplyAsync(CancellationToken cancellationToken)
    {
        await foreach (LogRecord record in log.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (record.Lsn > _lastCommit)
            {
                break;
            }

            await ApplyAsync(record, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask ApplyAsync(LogRecord record, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> rest = (RecordKind)record.Kind switch
        {
            RecordKind.Commit => record.Payload[StoreContents.Size..],
            RecordKind.Piece => record.Payload,
            _ => throw Impossible(record),
        };
        while (!rest.IsEmpty)
        {
            (long page, bool isImage, ReadOnlyMemory<byte> delta) = Next(record, ref rest);
            PageWriteLease lease = isImage
                ? await mapping.WriteNewAsync(page, cancellationToken).ConfigureAwait(false)
                : await mapping.WriteAsync(page, cancellationToken).ConfigureAwait(false);
            try
            {
                Apply(ref lease, record, isImage, delta.Span);
            }
            finally
            {
                lease.Dispose();
            }

            PageChanges++;
        }
    }

    private void Apply(ref PageWriteLease lease, in LogRecord record, bool isImage, ReadOnlySpan<byte> delta)
    {
        if (!isImage)
        {
            verifier.Verify(ref lease);
        }

        if (!PageDelta.TryApply(delta, lease.Span))
        {
            throw Impossible(record);
        }

        lease.Seal(record.Lsn, PageTrust.Bytes);
    }

    private (long Page, bool IsImage, ReadOnlyMemory<byte> Delta) Next(in LogRecord record, ref ReadOnlyMemory<byte> rest)
    {
        ReadOnlySpan<byte> bytes = rest.Span;
        int before = bytes.Length;
        if (!PageEntry.TryRead(ref bytes, out PageEntry entry) || entry.Page <= MetaPage.PageNumber || entry.Page >= _contents.PageCount)
        {
            throw Impossible(record);
        }

        int taken = before - bytes.Length;
        ReadOnlyMemory<byte> delta = rest.Slice(taken - entry.Delta.Length, entry.Delta.Length);
        rest = rest[taken..];
        return (entry.Page, entry.IsImage, delta);
    }

    private CorruptLogException Impossible(in LogRecord record) =>
        new(mapping.Path, $"the record at LSN {record.Start}, whose checksum is right, says nothing that a store can have logged", null);
}
