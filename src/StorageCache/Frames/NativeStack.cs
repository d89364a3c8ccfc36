using System.Runtime.CompilerServices;

namespace StorageCache.Frames;

/// <summary>
/// A lock-free stack of indices whose links lie inside the items (Treiber 1986). The head word carries a tag beside the
/// index, so an item that was popped and pushed again is not mistaken for one that never left. Thread-safe.
/// </summary>
internal unsafe struct NativeStack
{
    private ulong _head;
    private int _count;

    /// <summary>How many items are on the stack; exact when nobody is pushing or popping.</summary>
    public readonly int Count => Volatile.Read(ref Unsafe.AsRef(in _count));

    /// <summary>Pushes an item.</summary>
    /// <param name="index">Its index; not zero.</param>
    /// <param name="links">Address of the first item's link; items are <paramref name="stride"/> bytes apart.</param>
    /// <param name="stride">Size of an item in bytes.</param>
    public void Push(uint index, byte* links, int stride)
    {
        uint* link = (uint*)(links + ((long)index * stride));
        ulong head = Volatile.Read(ref _head);
        while (true)
        {
            Volatile.Write(ref *link, (uint)head);
            ulong seen = Interlocked.CompareExchange(ref _head, ((head >> 32) + 1) << 32 | index, head);
            if (seen == head)
            {
                Interlocked.Increment(ref _count);
                return;
            }

            head = seen;
        }
    }

    /// <summary>Pops an item, or returns zero.</summary>
    public uint Pop(byte* links, int stride)
    {
        ulong head = Volatile.Read(ref _head);
        while ((uint)head != 0)
        {
            // The item may be popped by somebody else meanwhile; its link is then garbage, but the tag has moved.
            uint next = Volatile.Read(ref *(uint*)(links + ((long)(uint)head * stride)));
            ulong seen = Interlocked.CompareExchange(ref _head, ((head >> 32) + 1) << 32 | next, head);
            if (seen == head)
            {
                Interlocked.Decrement(ref _count);
                return (uint)head;
            }

            head = seen;
        }

        return 0;
    }
}
