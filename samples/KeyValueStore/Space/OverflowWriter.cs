using System.Buffers;
using System.Diagnostics;
using System.IO.Hashing;
using StorageCache.KeyValueStore.Commits;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;

namespace StorageCache.KeyValueStore.Space;

/// <summary>
/// Writes one large value onto overflow pages, piece by piece: into the log and into the cache. Nothing refers to them before a commit does, and
/// their pages are free until then, so they can be written to the device as soon as the log has them.
/// </summary>
/// <remarks>Only the holder of the writer lock may call this. No page is latched between two calls.</remarks>
internal sealed class OverflowWriter : IDisposable
{
    private readonly Mapping _mapping;
    private readonly WriteAheadLog _log;
    private readonly PageAllocator _allocator;
    private readonly PageLimits _limits;
    private readonly PageImages _images;
    private readonly ArrayBufferWriter<byte> _record;
    private readonly XxHash3 _hash = new();
    private readonly List<PageRun> _runs = [];
    private readonly byte[] _image;

    private readonly long _firstPage;

    /// <summary>Pages taken ahead, behind the current one.</summary>
    private int _ahead;
    private long _page;
    private int _filled;
    private int _index;
    private int _length;

    /// <param name="mapping">The store's pages.</param>
    /// <param name="log">The log.</param>
    /// <param name="allocator">Where pages come from.</param>
    /// <param name="limits">Sizes.</param>
    /// <param name="images">Arrays.</param>
    /// <param name="expected">Bytes of the value if they are known, so that it gets neighbouring pages; else 0.</param>
    public OverflowWriter(Mapping mapping, WriteAheadLog log, PageAllocator allocator, PageLimits limits, PageImages images, long expected)
    {
        _mapping = mapping;
        _log = log;
        _allocator = allocator;
        _limits = limits;
        _images = images;
        _record = new ArrayBufferWriter<byte>(limits.PageSize);
        _image = images.Rent();
        if (expected > 0)
        {
            int pages = (int)limits.OverflowPages(expected);
            _page = allocator.TakeRun(pages);
            _ahead = pages - 1;
            _runs.Add(new PageRun(_page, pages));
        }
        else
        {
            _page = TakeNext(near: 0);
        }

        _firstPage = _page;
        BeginPage();
    }

    /// <summary>Bytes written so far.</summary>
    public int Length => _length;

    /// <summary>Adds bytes to the value.</summary>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            if (_filled == _limits.OverflowPayload)
            {
                long next = _ahead > 0 ? _page + 1 : TakeNext(_page + 1);
                _ahead = Math.Max(_ahead - 1, 0);
                await EndPageAsync(next, cancellationToken).ConfigureAwait(false);
                _page = next;
                _index++;
                BeginPage();
            }

            int count = Math.Min(bytes.Length, _limits.OverflowPayload - _filled);
            ReadOnlySpan<byte> piece = bytes.Span[..count];
            piece.CopyTo(_image.AsSpan(PageHeader.Size + _filled));
            _hash.Append(piece);
            _filled += count;
            _length += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Ends the value, whose pages are the change set's from now on.</summary>
    public async ValueTask<OverflowReference> CompleteAsync(ChangeSet changes, CancellationToken cancellationToken)
    {
        Debug.Assert(_length > 0 && _ahead == 0);
        await EndPageAsync(next: 0, cancellationToken).ConfigureAwait(false);
        changes.AddValue(_firstPage, [.. _runs]);
        OverflowReference reference = new(_firstPage, _runs.Count == 1, _length, _hash.GetCurrentHashAsUInt64());
        _runs.Clear();
        return reference;
    }

    /// <summary>Gives back the pages of a value that has not been completed.</summary>
    public void Dispose()
    {
        foreach (PageRun run in _runs)
        {
            _allocator.Return(run);
        }

        _runs.Clear();
        _images.Return(_image);
    }

    private long TakeNext(long near)
    {
        long page = _allocator.Take(near);
        if (_runs.Count > 0 && _runs[^1] is { } last && last.First + last.Count == page)
        {
            _runs[^1] = last with { Count = last.Count + 1 };
        }
        else
        {
            _runs.Add(new PageRun(page, 1));
        }

        return page;
    }

    private void BeginPage()
    {
        _filled = 0;
        PageHeader.InitializeOverflow(_image, _firstPage, _index);
    }

    private async ValueTask EndPageAsync(long next, CancellationToken cancellationToken)
    {
        PageHeader.SetNext(_image, next);
        PageHeader.SetPayloadLength(_image, _filled);
        _image.AsSpan(PageHeader.Size + _filled).Clear();
        _record.ResetWrittenCount();
        PageEntry.TryWrite(_record, _page, default, _image);
        await _log.ReserveAsync(WriteAheadLog.SizeOf(_record.WrittenCount), cancellationToken).ConfigureAwait(false);
        PageWriteLease lease = await _mapping.WriteNewAsync(_page, cancellationToken).ConfigureAwait(false);
        try
        {
            ulong lsn = _log.Append((byte)RecordKind.Piece, _record.WrittenSpan);
            lease.Replace(_image, lsn, PageTrust.Bytes);
        }
        finally
        {
            _log.Publish();
            lease.Dispose();
        }
    }
}
