using System.Buffers;
using System.Diagnostics;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Tree;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    /// <summary>Gets a key's value in an array of its own; null when the key is not there.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ArgumentException">The key is too long.</exception>
    public ValueTask<byte[]?> GetAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        return GetCoreAsync(key, cancellationToken);
    }

    /// <summary>Writes a key's value into a buffer writer, in one piece. False when the key is not there; nothing is written then.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="destination">Receives the value; asked for the value's whole length at once, and for more or less again if the value changes meanwhile.</param>
    /// <param name="cancellationToken">Gives up; nothing is written then.</param>
    /// <exception cref="ArgumentException">The key is too long.</exception>
    public ValueTask<bool> TryGetAsync(ReadOnlyMemory<byte> key, IBufferWriter<byte> destination, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        ArgumentNullException.ThrowIfNull(destination);
        return TryGetAtOnce(key, destination, out bool found)
            ? new ValueTask<bool>(found)
            : TryGetCoreAsync(key, destination, AccessWith(cancellationToken));
    }

    /// <summary>The same as <see cref="TryGetAsync"/>, blocking the calling thread while pages are read.</summary>
    /// <inheritdoc cref="TryGetAsync"/>
    public bool TryGet(ReadOnlyMemory<byte> key, IBufferWriter<byte> destination)
    {
        ValidateKey(key.Length);
        ArgumentNullException.ThrowIfNull(destination);
        if (TryGetAtOnce(key, destination, out bool found))
        {
            return found;
        }

        ValueTask<bool> done = TryGetCoreAsync(key, destination, new PageAccess(_mapping, blocks: true, CancellationToken.None));
        Debug.Assert(done.IsCompleted, "a read that blocks has always completed");
        return done.GetAwaiter().GetResult();
    }

    /// <summary>Writes a key's value to a stream, in pieces of up to 64 KiB. The value stays as it is until that is done, whatever is put meanwhile.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="destination">Receives the value. A slow stream holds up nobody, but the pages of a value replaced meanwhile are not reused before it is done.</param>
    /// <param name="cancellationToken">Gives up; part of the value may have been written then.</param>
    /// <returns>Bytes written; null when the key is not there.</returns>
    /// <exception cref="ArgumentException">The key is too long, or the stream cannot be written to.</exception>
    public ValueTask<long?> CopyToAsync(ReadOnlyMemory<byte> key, Stream destination, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        ArgumentNullException.ThrowIfNull(destination);
        if (!destination.CanWrite)
        {
            throw new ArgumentException("The stream cannot be written to.", nameof(destination));
        }

        return CopyToCoreAsync(key, destination, cancellationToken);
    }

    /// <summary>Gets the length of a key's value in bytes, without reading the value; null when the key is not there.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ArgumentException">The key is too long.</exception>
    public ValueTask<long?> GetLengthAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        return GetLengthCoreAsync(key, cancellationToken);
    }

    private PageAccess AccessWith(CancellationToken cancellationToken) => new(_mapping, blocks: false, cancellationToken);

    private async ValueTask<byte[]?> GetCoreAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        ExactBuffer buffer = new();
        return await TryGetCoreAsync(key, buffer, AccessWith(cancellationToken)).ConfigureAwait(false) ? buffer.Array : null;
    }

    /// <summary>Makes one attempt without waiting, which is enough when the pages are in memory and the value is in its leaf. False when it is not enough.</summary>
    private bool TryGetAtOnce(ReadOnlyMemory<byte> key, IBufferWriter<byte> destination, out bool found)
    {
        using OperationGate.Ticket ticket = Enter();
        bool arrived = TryFind(new SeekTarget(SeekKind.Containing, key), destination, out Lookup lookup, out _) == DescentStatus.Arrived;
        if (lookup.IsOverflow && arrived)
        {
            _activeReads.Unregister(lookup.Reference.FirstPage);
        }

        found = lookup.Found;
        return arrived && !lookup.IsOverflow;
    }

    private async ValueTask<bool> TryGetCoreAsync(ReadOnlyMemory<byte> key, IBufferWriter<byte> destination, PageAccess access)
    {
        using OperationGate.Ticket ticket = Enter();
        Lookup lookup = await FindAsync(key, destination, access).ConfigureAwait(false);
        if (!lookup.IsOverflow)
        {
            return lookup.Found;
        }

        try
        {
            Memory<byte> memory = destination.GetMemory(lookup.Length)[..lookup.Length];
            await _overflowReader.ReadAsync(lookup.Reference, memory, access).ConfigureAwait(false);
            destination.Advance(lookup.Length);
            return true;
        }
        finally
        {
            _activeReads.Unregister(lookup.Reference.FirstPage);
        }
    }

    private async ValueTask<long?> CopyToCoreAsync(ReadOnlyMemory<byte> key, Stream destination, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        ExactBuffer inline = new();
        Lookup lookup = await FindAsync(key, inline, AccessWith(cancellationToken)).ConfigureAwait(false);
        if (!lookup.Found)
        {
            return null;
        }

        if (!lookup.IsOverflow)
        {
            await destination.WriteAsync(inline.Array, cancellationToken).ConfigureAwait(false);
            return lookup.Length;
        }

        try
        {
            await _overflowReader.CopyToAsync(lookup.Reference, destination, cancellationToken).ConfigureAwait(false);
            return lookup.Length;
        }
        finally
        {
            _activeReads.Unregister(lookup.Reference.FirstPage);
        }
    }

    private async ValueTask<long?> GetLengthCoreAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        Lookup lookup = await FindAsync(key, null, AccessWith(cancellationToken)).ConfigureAwait(false);
        if (lookup.IsOverflow)
        {
            _activeReads.Unregister(lookup.Reference.FirstPage);
        }

        return lookup.Found ? lookup.Length : null;
    }

    /// <summary>Looks a key up; a value in the leaf is written out, one on overflow pages is registered and must be unregistered.</summary>
    private async ValueTask<Lookup> FindAsync(ReadOnlyMemory<byte> key, IBufferWriter<byte>? destination, PageAccess access)
    {
        SeekTarget target = new(SeekKind.Containing, key);
        for (int attempt = 0; attempt < TreeReader.OptimisticAttempts; attempt++)
        {
            switch (TryFind(target, destination, out Lookup lookup, out long missing))
            {
                case DescentStatus.Arrived:
                    return lookup;
                case DescentStatus.Miss:
                    await access.FetchAsync(missing).ConfigureAwait(false);
                    break;
            }
        }

        using PageReadLease lease = await _reader.DescendCoupledAsync(target, null, access).ConfigureAwait(false);
        return FindInLeased(lease, key.Span, destination);
    }

    private DescentStatus TryFind(in SeekTarget target, IBufferWriter<byte>? destination, out Lookup lookup, out long missing)
    {
        lookup = default;
        DescentStatus status = _reader.TryDescend(target, null, out OptimisticRead leaf, out missing);
        if (status != DescentStatus.Arrived)
        {
            return status;
        }

        bool plausible = TryLookUp(leaf.Span, target.Key.Span, destination, out lookup);
        if (lookup.IsOverflow)
        {
            // Registered before the validation, so that either a writer sees this reader or this reader sees the writer (KV-8).
            _activeReads.Register(lookup.Reference.FirstPage);
        }

        if (!leaf.Validate())
        {
            if (lookup.IsOverflow)
            {
                _activeReads.Unregister(lookup.Reference.FirstPage);
            }

            return DescentStatus.Restart;
        }

        if (!plausible)
        {
            throw _reader.NotATreePage(leaf.Page);
        }

        Commit(destination, lookup);
        return DescentStatus.Arrived;
    }

    private Lookup FindInLeased(PageReadLease lease, ReadOnlySpan<byte> key, IBufferWriter<byte>? destination)
    {
        if (!TryLookUp(lease.Span, key, destination, out Lookup lookup))
        {
            throw _reader.NotATreePage(lease.Page);
        }

        if (lookup.IsOverflow)
        {
            _activeReads.Register(lookup.Reference.FirstPage);
        }

        Commit(destination, lookup);
        return lookup;
    }

    /// <summary>Looks a key up in a leaf whose bytes may be torn, and copies its value out if that is in the leaf. False when the leaf cannot be right.</summary>
    private static bool TryLookUp(ReadOnlySpan<byte> leaf, ReadOnlySpan<byte> key, IBufferWriter<byte>? destination, out Lookup lookup)
    {
        lookup = default;
        TreePage page = new(leaf);
        if (!page.TrySearch(key, out int index, out bool found))
        {
            return false;
        }

        if (!found)
        {
            return true;
        }

        if (!page.TryGetCell(index, out TreeCell cell))
        {
            return false;
        }

        if (cell.IsOverflow)
        {
            if (!OverflowReference.TryRead(cell.Payload, out OverflowReference reference))
            {
                return false;
            }

            lookup = new Lookup(true, reference.Length, true, reference);
            return true;
        }

        if (destination is not null && !cell.Payload.IsEmpty)
        {
            cell.Payload.CopyTo(destination.GetSpan(cell.Payload.Length));
        }

        lookup = new Lookup(true, cell.Payload.Length, false, default);
        return true;
    }

    private static void Commit(IBufferWriter<byte>? destination, in Lookup lookup)
    {
        if (lookup is { Found: true, IsOverflow: false, Length: > 0 })
        {
            destination?.Advance(lookup.Length);
        }
    }
}
