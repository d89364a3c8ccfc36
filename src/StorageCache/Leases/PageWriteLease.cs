using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using StorageCache.Buffers;

namespace StorageCache;

/// <summary>
/// The exclusive latch on a page: the only way to writable bytes. Nobody else reads or writes the page until it is
/// disposed of.
/// </summary>
/// <remarks>
/// Whoever changes bytes calls <see cref="MarkDirty()"/> before the lease ends, or the change may be lost. A lease is a
/// struct that may live across an <c>await</c> and move to another thread; it is not to be copied (see
/// <see cref="PageReadLease"/>).
/// </remarks>
[SuppressMessage("Performance", "CA1815:Override equals and operator equals on value types", Justification = "Leases are not compared.")]
public unsafe struct PageWriteLease : IDisposable
{
    private Mapping? _mapping;
    private readonly Slot* _slot;

    internal PageWriteLease(Mapping mapping, Slot* slot)
    {
        _mapping = mapping;
        _slot = slot;
    }

    /// <summary>Whether the lease is held: acquired and not yet disposed of.</summary>
    public readonly bool IsHeld => _mapping is not null;

    /// <summary>The page's number in its mapping.</summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly long Page
    {
        get
        {
            Check();
            return _mapping!.PageOf(_slot);
        }
    }

    /// <summary>
    /// The page's bytes, <see cref="Mapping.UsablePageSize"/> of them. Bytes beyond the end of the file are to stay zero: they are
    /// not written to it, and would show if it grew while the page is in memory.
    /// Valid until the lease is disposed of.
    /// </summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly Span<byte> Span
    {
        get
        {
            Check();
            return MemoryMarshal.CreateSpan(ref *_mapping!.AddressOf(_slot->Frame), _mapping.UsablePageSize);
        }
    }

    /// <summary>Log sequence number of the page's last change; see <see cref="MarkDirty(ulong)"/>. Kept while the page is resident.</summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly ulong Lsn
    {
        get
        {
            Check();
            return _mapping!.HeadOf(_slot)->Lsn;
        }
    }

    /// <summary>A word that belongs to the engine above the cache; 0 when the page is loaded, kept while it is resident.</summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly ulong PrivateWord
    {
        get
        {
            Check();
            return _mapping!.HeadOf(_slot)->PrivateWord;
        }

        set
        {
            Check();
            _mapping!.HeadOf(_slot)->PrivateWord = value;
        }
    }

    /// <summary>Says that the bytes have been changed, so that they will be written back.</summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly void MarkDirty()
    {
        Check();
        _mapping!.MarkDirty(_slot);
    }

    /// <summary>Says that the bytes have been changed, by the log record with a number.</summary>
    /// <param name="lsn">
    /// The log sequence number, of a record that is in the log already; at least that of any earlier change. The page is not written before
    /// the mapping's <see cref="MappingOptions.Log"/> is durable up to it. 0 for a change that is not logged, as long as the page has no number;
    /// of one that has, such a change is marked by <see cref="MarkDirty()"/>.
    /// </param>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="lsn"/> is below the page's <see cref="Lsn"/>.</exception>
    public readonly void MarkDirty(ulong lsn)
    {
        Check();
        _mapping!.MarkDirty(_slot, lsn);
    }

    /// <summary>Turns the exclusive latch into a shared one without letting a writer in between. This lease is not held afterwards.</summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public PageReadLease Downgrade()
    {
        Check();
        Mapping mapping = _mapping!;
        _mapping = null;
        mapping.Downgrade(_slot);
        return new PageReadLease(mapping, _slot);
    }

    /// <summary>Returns the latch. Does nothing if the lease is not held.</summary>
    public void Dispose()
    {
        Mapping? mapping = _mapping;
        if (mapping is not null)
        {
            _mapping = null;
            mapping.ReleaseExclusive(_slot);
        }
    }

    private readonly void Check()
    {
        if (_mapping is null)
        {
            Throw.LeaseNotHeld();
        }
    }
}
