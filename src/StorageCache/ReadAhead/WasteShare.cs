namespace StorageCache.ReadAhead;

/// <summary>How much of what was read ahead lately was read in vain.</summary>
internal struct WasteShare
{
    /// <summary>Pages read ahead after which what was seen before counts half.</summary>
    private const int Memory = 1024;

    /// <summary>What one call counts for at most, so that it is not all that is remembered.</summary>
    private const int MostAtOnce = Memory / 4;

    private int _issued;
    private int _wasted;

    /// <summary>How little a stream is to be trusted: 2 where more than half was read in vain, 1 where more than a quarter was, else 0.</summary>
    public readonly int Distrust => _wasted * 2 > _issued ? 2 : _wasted * 4 > _issued ? 1 : 0;

    /// <summary>Notes that pages are read ahead.</summary>
    public void Issue(int pages)
    {
        _issued += Math.Min(pages, MostAtOnce);
        if (_issued > Memory)
        {
            _issued /= 2;
            _wasted /= 2;
        }
    }

    /// <summary>Notes that pages were read in vain; no more than have been noted as read.</summary>
    public void Waste(int pages) => _wasted = Math.Min(_wasted + pages, _issued);
}
