namespace StorageCache.Tests.Stress.Storms;

/// <summary>A file that anybody may do anything to.</summary>
/// <param name="number">From 0.</param>
/// <param name="path">Where it lies.</param>
internal sealed class LooseFile(int number, string path)
{
    private readonly SemaphoreSlim _opening = new(1);
    private volatile Mapping? _mapping;

    public int Number { get; } = number;

    public string Path { get; } = path;

    public Mapping Mapping => _mapping!;

    /// <summary>Opens the file, if it is not open.</summary>
    public async Task OpenAsync(StormCache cache)
    {
        await _opening.WaitAsync();
        try
        {
            if (_mapping is null || _mapping.State == MappingState.Closed)
            {
                _mapping = await cache.OpenAsync(Path);
            }
        }
        finally
        {
            _opening.Release();
        }
    }
}
