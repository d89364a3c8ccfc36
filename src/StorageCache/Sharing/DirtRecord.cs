namespace StorageCache.Sharing;

/// <summary>
/// The pages of a mapping that are, or become, dirty from a moment on until a map of its extents is made: what is found out about them
/// meanwhile may be out of date (SH-2).
/// </summary>
internal sealed class DirtRecord : IDisposable
{
    private readonly MappingSharing _sharing;
    private bool _isOver;

    /// <summary>Begins. One at a time for a mapping.</summary>
    public DirtRecord(Mapping mapping)
    {
        _sharing = mapping.Sharing!;
        Pages = new PageSet(mapping.PageCount);
        _sharing.Record(Pages);
        mapping.AddUnclean(Pages);
    }

    /// <summary>The pages.</summary>
    public PageSet Pages { get; }

    /// <summary>Ends with a map that has the pages for its private ones. Returns the map before it.</summary>
    public ExtentMap? EndWith(ExtentMap map)
    {
        _isOver = true;
        return _sharing.Replace(map);
    }

    /// <summary>Ends without a map, if it has not ended.</summary>
    public void Dispose()
    {
        if (!_isOver)
        {
            _sharing.StopRecording();
        }
    }
}
