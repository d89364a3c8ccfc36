using StorageCache.Buffers;

namespace StorageCache;

/// <summary>A slot and its state word at a moment when its page could be read without a latch; 16 bytes, which travel in registers.</summary>
internal readonly unsafe struct ReadableSlot(Slot* slot, ulong state)
{
    /// <summary>The slot, or null for none.</summary>
    public readonly Slot* Slot = slot;

    /// <summary>What its state word was.</summary>
    public readonly ulong State = state;
}
