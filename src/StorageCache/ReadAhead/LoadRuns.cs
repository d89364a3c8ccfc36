using StorageCache.Buffers;
using StorageCache.Mappings;

namespace StorageCache.ReadAhead;

/// <summary>
/// Gathers absent pages of one mapping for reading, without a waiter: neighbours that come one after the other travel in one
/// request. Lives on the stack of the one who gathers.
/// </summary>
internal unsafe ref struct LoadRuns
{
    private readonly Mapping _mapping;
    private PageLoad? _load;

    public LoadRuns(Mapping mapping) => _mapping = mapping;

    /// <summary>Pages that are being read because of this.</summary>
    public int Started { get; private set; }

    /// <summary>
    /// Claims a page for reading, unless it is in memory or somebody else reads it. Returns false if it cannot be had: no
    /// frame is free, or there is no such page.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="mark">Whether it is to carry the read-ahead mark, whoever reads it.</param>
    public bool TryAdd(long page, bool mark = false)
    {
        Slot* slot = null;
        uint frame = 0;
        if (!_mapping.IsComing(page) && !_mapping.TryClaimAhead(page, mark, out slot, out frame))
        {
            return false;
        }

        if (slot == null)
        {
            // Neighbours on both sides of a page that is there travel in different requests.
            Submit();
            if (mark)
            {
                _mapping.Mark(page);
            }

            return true;
        }

        if (_load is not null && (_load.Count == _load.MaximumPages || page != _load.FirstPage + _load.Count))
        {
            Submit();
        }

        if (_load is null)
        {
            _load = _mapping.Core.Loads.RentRun();
            _load.Begin(_mapping, page);
        }

        _load.Add(slot, frame);
        Started++;
        return true;
    }

    /// <summary>Submits what has been gathered.</summary>
    public void Submit()
    {
        PageLoad? load = _load;
        _load = null;
        load?.Start(isBlocking: false);
    }
}
