using System.Runtime.InteropServices;

namespace StorageCache.Buffers;

/// <summary>
/// One entry of a page table leaf: all that a hit needs, in 16 bytes, four to a cache line.
/// A slot belongs to one page of one mapping for as long as its leaf lives.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal struct Slot
{
    /// <summary>Size of a slot in bytes; fixed by the layout of the page table.</summary>
    public const int SizeInBytes = 16;

    /// <summary>The state word. Only <see cref="StateWord"/> gives its bits a meaning.</summary>
    public ulong State;

    /// <summary>
    /// Index of the frame that holds the page's bytes. It stays behind when the page is evicted, so that an
    /// optimistic reader that raced the eviction still computes an address inside the frame region (B-3).
    /// </summary>
    public uint Frame;

    /// <summary>
    /// Index of the buffer head while <see cref="StateWord.Attached"/> is set; otherwise the shadow entry: the
    /// eviction sequence number at which the page was evicted, or zero.
    /// </summary>
    public uint Head;
}
