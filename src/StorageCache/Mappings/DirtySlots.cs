using StorageCache.Buffers;

namespace StorageCache.Mappings;

/// <summary>
/// Goes through the pages that are tagged dirty, in their order; pages that become dirty behind it are not seen. The leaf of the page at
/// hand is kept alive, so its slot may be looked at; whether the page is dirty still, only its state word says. For one thread.
/// </summary>
/// <param name="table">The pages.</param>
/// <param name="memory">Where the table's leaves are.</param>
internal unsafe ref struct DirtySlots(PageTable table, PageTableMemory memory)
{
    private LeafHeader* _leaf;
    private long _next;

    /// <summary>The page at hand.</summary>
    public Slot* Current { readonly get; private set; }

    /// <summary>For <c>foreach</c>.</summary>
    public readonly DirtySlots GetEnumerator() => this;

    /// <summary>Goes on to the next page, if there is one.</summary>
    public bool MoveNext()
    {
        while (true)
        {
            if (_leaf == null)
            {
                _leaf = table.EnterNextDirtyLeaf(_next);
                if (_leaf == null)
                {
                    return false;
                }
            }

            long page = PageTable.NextDirty(_leaf, _next);
            if (page >= 0)
            {
                Current = memory.SlotsOf(_leaf) + (page - _leaf->FirstPage);
                _next = page + 1;
                return true;
            }

            _next = _leaf->FirstPage + PageTable.SlotsPerLeaf;
            Dispose();
        }
    }

    /// <summary>Lets the leaf go.</summary>
    public void Dispose()
    {
        if (_leaf != null)
        {
            memory.Leave(_leaf);
            _leaf = null;
        }
    }
}
