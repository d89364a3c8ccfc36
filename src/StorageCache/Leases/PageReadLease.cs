using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using StorageCache.Buffers;

namespace StorageCache;

/// <summary>
/// A shared latch on a page: its bytes stay where they are and do not change until the lease is disposed of. Any number
/// of read leases can be held at once; a write lease waits for all of them.
/// </summary>
/// <remarks>
/// A lease is a struct that may live across an <c>await</c> and move to another thread. It is not to be copied: disposing
/// of two copies returns the latch twice, which ends the process rather than corrupt data when it is noticed. A thread
/// that holds a read lease and asks for the write lease of the same page waits for itself.
/// </remarks>
[SuppressMessage("Performance", "CA1815:Override equals and operator equals on value types", Justification = "Leases are not compared.")]
public unsafe struct PageReadLease : IDisposable
{
    private Mapping? _mapping;
    private readonly Slot* _slot;

    internal PageReadLease(Mapping mapping, Slot* slot)
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
    /// The page's bytes, <see cref="Mapping.UsablePageSize"/> of them; what lies beyond the end of the file is zero. Valid until
    /// the lease is disposed of.
    /// </summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly ReadOnlySpan<byte> Span
    {
        get
        {
            Check();
            return MemoryMarshal.CreateReadOnlySpan(ref *_mapping!.ReadAddressOf(_slot->Frame), _mapping.UsablePageSize);
        }
    }

    /// <summary>Log sequence number of the page's last change, as given to <see cref="PageWriteLease.MarkDirty(ulong)"/> while it was resident; 0 if none was.</summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly ulong Lsn
    {
        get
        {
            Check();
            return _mapping!.HeadOf(_slot)->Lsn;
        }
    }

    /// <summary>The word that belongs to the engine above the cache; see <see cref="PageWriteLease.PrivateWord"/>.</summary>
    /// <exception cref="InvalidOperationException">The lease is not held.</exception>
    public readonly ulong PrivateWord
    {
        get
        {
            Check();
            return _mapping!.HeadOf(_slot)->PrivateWord;
        }
    }

    /// <summary>Returns the latch. Does nothing if the lease is not held.</summary>
    public void Dispose()
    {
        Mapping? mapping = _mapping;
        if (mapping is not null)
        {
            _mapping = null;
            mapping.ReleaseShared(_slot);
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
