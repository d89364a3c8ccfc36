using System.Diagnostics;
using System.IO.Hashing;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;

namespace StorageCache.KeyValueStore.Space;

/// <summary>Writes one large value onto a chain of overflow pages, piece by piece. Nothing refers to the chain before it is complete.</summary>
/// <remarks>Only the holder of the writer lock may call this.</remarks>
internal sealed class OverflowWriter(Mapping mapping, PageAllocator allocator, PageLimits limits, PageVerifier verifier)
{
    private readonly XxHash3 _hash = new();
    private PageWriteLease _lease;
    private long _firstPage;
    private long _lastPage;
    private int _filled;
    private int _index;
    private int _length;

    /// <summary>Bytes written so far.</summary>
    public int Length => _length;

    /// <summary>Adds bytes to the value.</summary>
    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            if (!_lease.IsHeld)
            {
                await TakeLeaseAsync(cancellationToken).ConfigureAwait(false);
            }

            if (_filled == limits.OverflowPayload)
            {
                await NextPageAsync(cancellationToken).ConfigureAwait(false);
            }

            int count = Math.Min(bytes.Length, limits.OverflowPayload - _filled);
            ReadOnlySpan<byte> piece = bytes.Span[..count];
            piece.CopyTo(_lease.Span[(PageHeader.Size + _filled)..]);
            _hash.Append(piece);
            _filled += count;
            _length += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Lets go of the page being filled, so that no page is latched while the caller waits for its source.</summary>
    public void Suspend()
    {
        if (_lease.IsHeld)
        {
            ReleaseLease();
        }
    }

    /// <summary>Ends the value.</summary>
    public OverflowReference Complete()
    {
        Debug.Assert(_length > 0);
        Suspend();
        return new OverflowReference(_firstPage, _lastPage, _length, _hash.GetCurrentHashAsUInt64());
    }

    /// <summary>Gives the pages back.</summary>
    public void Abandon()
    {
        Suspend();
        if (_firstPage != 0)
        {
            // The chain's length in pages is that of a value which fills them; a page may have been taken and not been filled yet.
            allocator.Detach(new OverflowReference(_firstPage, _lastPage, (_index + 1) * limits.OverflowPayload, 0));
        }
    }

    private async ValueTask TakeLeaseAsync(CancellationToken cancellationToken)
    {
        if (_firstPage != 0)
        {
            // The page may have been evicted meanwhile, half filled, and come back from the device.
            _lease = await mapping.WriteAsync(_lastPage, cancellationToken).ConfigureAwait(false);
            verifier.Verify(ref _lease);
            return;
        }

        _lease = await allocator.AllocateAsync(IsHeld, cancellationToken).ConfigureAwait(false);
        _firstPage = _lease.Page;
        _lastPage = _firstPage;
        PageHeader.InitializeOverflow(_lease.Span, _firstPage, 0);
    }

    private async ValueTask NextPageAsync(CancellationToken cancellationToken)
    {
        PageWriteLease next = await allocator.AllocateAsync(IsHeld, cancellationToken).ConfigureAwait(false);
        PageHeader.SetNext(_lease.Span, next.Page);
        ReleaseLease();
        _lease = next;
        _lastPage = next.Page;
        _filled = 0;
        _index++;
        PageHeader.InitializeOverflow(_lease.Span, _firstPage, _index);
    }

    private bool IsHeld(long page) => _lease.IsHeld && page == _lastPage;

    private void ReleaseLease()
    {
        PageHeader.SetPayloadLength(_lease.Span, _filled);
        _lease.Seal();
        _lease.Dispose();
        _lease = default;
    }
}
