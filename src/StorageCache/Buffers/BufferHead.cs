using System.Runtime.InteropServices;

namespace StorageCache.Buffers;

/// <summary>
/// Says who a page is: its mapping and number, its flags and errors, and who waits for it. The bytes are the frame's.
/// One cache line of type-stable native memory; a hit on a latch does not touch it.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = SizeInBytes)]
internal unsafe struct BufferHead
{
    /// <summary>Size of a buffer head in bytes.</summary>
    public const int SizeInBytes = 64;

    /// <summary>The page's slot; stable while the head is attached.</summary>
    [FieldOffset(0)]
    public Slot* Slot;

    /// <summary>The page's number in its mapping.</summary>
    [FieldOffset(8)]
    public long Page;

    /// <summary>Log sequence number of the last change, as the engine above gave it.</summary>
    [FieldOffset(16)]
    public ulong Lsn;

    /// <summary>A word that belongs to the engine above; kept while the page is resident.</summary>
    [FieldOffset(24)]
    public ulong PrivateWord;

    /// <summary>
    /// Log sequence number of the first change since the page was last clean; 0 if there is none, or it is not logged. Changed with
    /// interlocked operations: by who has the exclusive latch, and by the end of a write that failed.
    /// </summary>
    [FieldOffset(32)]
    public ulong RecoveryLsn;

    /// <summary>Next head in the free list; a head in use has no such link.</summary>
    [FieldOffset(32)]
    public uint NextFree;

    /// <summary>Number of the owning mapping in the cache's mapping table.</summary>
    [FieldOffset(40)]
    public int Mapping;

    /// <summary>Index of the first waiter, or zero. All that an idle buffer pays for its wait list.</summary>
    [FieldOffset(44)]
    public uint Waiters;

    /// <summary>
    /// Pin-only leases. Changed with interlocked additions only and never reset: a pin that raced an eviction adds and
    /// takes back on a head that may have become another page's (B-6).
    /// </summary>
    [FieldOffset(48)]
    public int Pins;

    /// <summary>Next owner of the same frame.</summary>
    [FieldOffset(52)]
    public uint OwnerNext;

    /// <summary>Previous owner of the same frame.</summary>
    [FieldOffset(56)]
    public uint OwnerPrevious;

    /// <summary>Whether the head is in use; read by the integrity check.</summary>
    [FieldOffset(60)]
    public ushort InUse;

    /// <summary>
    /// Whether somebody who waits for a pin may stand in the list: only while the page is loading. Guarded by the list lock.
    /// </summary>
    [FieldOffset(62)]
    public ushort PinsWait;
}
