using System.Numerics;
using StorageCache.Buffers;

namespace StorageCache.Mappings;

/// <content>
/// Tags: bitmaps in the leaves that say which pages are dirty and which were written but not yet synced, so that both
/// can be walked in page order. The dirty tag is summed up in the interior nodes.
/// </content>
internal sealed unsafe partial class PageTable
{
    /// <summary>A bit for each generation of which not all that is not synced is tagged.</summary>
    private int _untagged;

    /// <summary>
    /// Finds the first leaf with dirty pages that ends behind a page and keeps it alive; null when there is none.
    /// </summary>
    public LeafHeader* EnterNextDirtyLeaf(long fromPage) => EnterNext(fromPage, dirtyOnly: true);

    /// <summary>Tags a page dirty, up to the root. The page is attached.</summary>
    public void SetDirty(Slot* slot, long page)
    {
        LeafHeader* leaf = _memory.HeaderOf(slot);
        Interlocked.Or(ref leaf->Dirty[WordOf(page)], BitOf(page));
        var node = (NodeHeader*)Volatile.Read(ref leaf->Parent);
        while (node != null)
        {
            int entry = EntryOf(page, node->Shift);
            ulong bit = 1UL << (entry & 63);
            if ((Volatile.Read(ref node->Dirty[entry >> 6]) & bit) == 0)
            {
                Interlocked.Or(ref node->Dirty[entry >> 6], bit);
            }

            node = (NodeHeader*)Volatile.Read(ref node->Parent);
        }
    }

    /// <summary>Takes the dirty tag off a page. The summary above follows when a walk finds the leaf clean.</summary>
    public void ClearDirty(Slot* slot, long page) =>
        Interlocked.And(ref _memory.HeaderOf(slot)->Dirty[WordOf(page)], ~BitOf(page));

    /// <summary>First dirty page of a leaf at or behind <paramref name="fromPage"/>, or -1.</summary>
    public static long NextDirty(LeafHeader* leaf, long fromPage) => NextSet(leaf, leaf->Dirty, fromPage);

    /// <summary>Tags a page as written but not synced, in one of two generations.</summary>
    public void SetUnsynced(Slot* slot, long page, int generation)
    {
        LeafHeader* leaf = _memory.HeaderOf(slot);
        Interlocked.Or(ref Unsynced(leaf, generation)[WordOf(page)], BitOf(page));
    }

    /// <summary>First page of a leaf at or behind <paramref name="fromPage"/> that is not synced, or -1.</summary>
    public static long NextUnsynced(LeafHeader* leaf, int generation, long fromPage) =>
        NextSet(leaf, Unsynced(leaf, generation), fromPage);

    /// <summary>Takes one generation's not-synced tags off all pages of a leaf.</summary>
    public static void ClearUnsynced(LeafHeader* leaf, int generation)
    {
        ulong* words = Unsynced(leaf, generation);
        for (int i = 0; i < LeafHeader.TagWords; i++)
        {
            if (Volatile.Read(ref words[i]) != 0)
            {
                Interlocked.Exchange(ref words[i], 0);
            }
        }
    }

    /// <summary>
    /// Whether what the device holds of a page may be lost when the next sync fails: the page is tagged as not synced, or might have been.
    /// The page's leaf is in use by the caller.
    /// </summary>
    public bool MayBeUnsynced(Slot* slot, long page)
    {
        LeafHeader* leaf = _memory.HeaderOf(slot);
        ulong tags = Volatile.Read(ref leaf->UnsyncedEven[WordOf(page)]) | Volatile.Read(ref leaf->UnsyncedOdd[WordOf(page)]);
        return Volatile.Read(ref _untagged) != 0 || (tags & BitOf(page)) != 0;
    }

    /// <summary>Notes that something is not synced in a generation which no tag tells of: pages without a leaf.</summary>
    public void NoteUntagged(int generation) => Interlocked.Or(ref _untagged, 1 << (generation & 1));

    /// <summary>Notes that a generation is synced, as far as no tag told of it.</summary>
    public void ClearUntagged(int generation) => Interlocked.And(ref _untagged, ~(1 << (generation & 1)));

    /// <summary>Keeps what the tags of a leaf say that goes.</summary>
    private void KeepUnsynced(LeafHeader* leaf)
    {
        for (int generation = 0; generation < 2; generation++)
        {
            if (NextUnsynced(leaf, generation, leaf->FirstPage) >= 0)
            {
                NoteUntagged(generation);
            }
        }
    }

    private static ulong* Unsynced(LeafHeader* leaf, int generation) =>
        (generation & 1) == 0 ? leaf->UnsyncedEven : leaf->UnsyncedOdd;

    private static int WordOf(long page) => (int)(page >> 6) & (LeafHeader.TagWords - 1);

    private static ulong BitOf(long page) => 1UL << ((int)page & 63);

    private static long NextSet(LeafHeader* leaf, ulong* words, long fromPage)
    {
        int position = (int)Math.Max(0, fromPage - leaf->FirstPage);
        for (int word = position >> 6; word < LeafHeader.TagWords; word++)
        {
            ulong bits = Volatile.Read(ref words[word]);
            if (word == position >> 6)
            {
                bits &= ulong.MaxValue << (position & 63);
            }

            if (bits != 0)
            {
                return leaf->FirstPage + (word << 6) + BitOperations.TrailingZeroCount(bits);
            }
        }

        return -1;
    }

    private static bool HasDirty(LeafHeader* leaf) => !new Span<ulong>(leaf->Dirty, LeafHeader.TagWords).TrimStart(0UL).IsEmpty;

    private static bool HasDirty(NodeHeader* node) => !new Span<ulong>(node->Dirty, EntriesPerNode / 64).TrimStart(0UL).IsEmpty;

    private static bool HasDirty(NodeHeader* node, int entry) =>
        (Volatile.Read(ref node->Dirty[entry >> 6]) & (1UL << (entry & 63))) != 0;

    /// <summary>
    /// Takes the dirty tag off an entry below which a walk found nothing dirty. Whoever tags a page meanwhile sets its
    /// own bit first and looks at the bits above afterwards; here the order is the other way round, so one of the two
    /// sees the other (PT-6).
    /// </summary>
    private void ClearStaleDirty(NodeHeader* node, int entry)
    {
        ulong bit = 1UL << (entry & 63);
        Interlocked.And(ref node->Dirty[entry >> 6], ~bit);
        nuint child = node->Entries[entry];
        bool dirty = node->Shift == BitsPerLevel
            ? HasDirty(_memory.HeaderOf((Slot*)child))
            : HasDirty(NodeOf(child));
        if (dirty)
        {
            Interlocked.Or(ref node->Dirty[entry >> 6], bit);
        }
    }
}
