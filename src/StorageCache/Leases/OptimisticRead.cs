using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StorageCache.Buffers;

namespace StorageCache;

/// <summary>
/// A look at a page without a latch: read, then ask <see cref="Validate"/> whether what was read is what the page held.
/// Writes nothing that others share, so readers do not slow each other down. Nothing has to be returned.
/// </summary>
/// <remarks>
/// <para>
/// Until it is validated, <see cref="Span"/> may show anything: a page half written, or another page altogether. Looking
/// never faults, but code must not trust a length or offset it found there. The mechanism is that of optimistic latches
/// (Leis et al., "The ART of Practical Synchronization", 2016; LeanStore).
/// </para>
/// <para>The version behind it has 32 bits: a reader that sleeps through exactly 2^32 changes of the page is fooled.</para>
/// </remarks>
[SuppressMessage("Performance", "CA1815:Override equals and operator equals on value types", Justification = "Reads are not compared.")]
public readonly unsafe struct OptimisticRead
{
    private readonly Mapping? _mapping;
    private readonly Slot* _slot;
    private readonly ulong _state;

    internal OptimisticRead(Mapping mapping, ReadableSlot found)
    {
        _mapping = mapping;
        _slot = found.Slot;
        _state = found.State;
    }

    /// <summary>The page's number in its mapping; to be trusted only once validated.</summary>
    /// <exception cref="InvalidOperationException">The read was never begun.</exception>
    public long Page => Owner.PageOf(_slot);

    /// <summary>The page's bytes, <see cref="Mapping.UsablePageSize"/> of them; may be torn until validated.</summary>
    /// <exception cref="InvalidOperationException">The read was never begun.</exception>
    public ReadOnlySpan<byte> Span
    {
        get
        {
            // Whatever frame stands in the slot by now, its memory is mapped (B-3); if it is not the one that the read began
            // with, the version has moved.
            Mapping mapping = Owner;
            return MemoryMarshal.CreateReadOnlySpan(ref *mapping.ReadAddressOf(_slot->Frame), mapping.UsablePageSize);
        }
    }

    private Mapping Owner
    {
        get
        {
            if (_mapping is null)
            {
                Throw.LeaseNotHeld();
            }

            return _mapping!;
        }
    }

    /// <summary>
    /// Whether everything read from <see cref="Span"/> so far is what the page held at one moment. If not, begin again.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Validate()
    {
        // The bytes are read before the state is read again.
        Volatile.ReadBarrier();
        bool isUnchanged = _slot != null && StateWord.IsUnchanged(_state, StateWord.Load(_slot));

        // Up to here somebody looks, and the memory stays mapped (B-3): with a cache that has been disposed of, nothing else may
        // keep it.
        GC.KeepAlive(_mapping);
        return isUnchanged;
    }

    /// <summary>Takes a read lease if the page has not changed since the read began and no waiting is needed.</summary>
    /// <param name="lease">What was acquired, if the result is true.</param>
    /// <exception cref="InvalidOperationException">The read was never begun.</exception>
    public bool TryUpgrade(out PageReadLease lease)
    {
        Mapping mapping = Owner;
        if (StateWord.TryLockShared(_slot))
        {
            // Exclusive latches are kept out from here on, so an unchanged version stays so.
            if (StateWord.IsUnchanged(_state, StateWord.Load(_slot)))
            {
                lease = new PageReadLease(mapping, _slot);
                return true;
            }

            mapping.ReleaseShared(_slot);
        }

        lease = default;
        return false;
    }

    /// <summary>
    /// Takes the write lease if the page has not changed since the read began, nobody holds or awaits it, it is not on its way to
    /// the device, and it is dirty already or not too many pages are. If not, <see cref="Mapping.Write(long)"/> waits for all of that.
    /// </summary>
    /// <param name="lease">What was acquired, if the result is true.</param>
    /// <exception cref="InvalidOperationException">The read was never begun.</exception>
    /// <exception cref="NotSupportedException">The mapping is read-only.</exception>
    /// <exception cref="MappingFailedException">The mapping has failed.</exception>
    /// <exception cref="MappingClosedException">The mapping is closed.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public bool TryUpgrade(out PageWriteLease lease) => Owner.TryUpgradeToWrite(_slot, _state, out lease);
}
