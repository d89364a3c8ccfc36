using Microsoft.Extensions.Caching.Memory;

namespace StorageCache.Sharing;

/// <summary>
/// What was last heard of files' extents, so that a file that is opened need not have all others asked. May be lost at any time.
/// Thread-safe.
/// </summary>
internal sealed class ExtentHints : IDisposable
{
    private const long LeastBytes = 64 << 10;
    private const long MostBytes = 64 << 20;

    /// <summary>The part of the memory limit that hints take beside it.</summary>
    private const int LimitPerHint = 512;

    private readonly MemoryCache _hints;

    /// <param name="memoryLimit">The cache's memory limit, in bytes.</param>
    public ExtentHints(long memoryLimit) =>
        _hints = new MemoryCache(new MemoryCacheOptions { SizeLimit = Math.Clamp(memoryLimit / LimitPerHint, LeastBytes, MostBytes) });

    /// <summary>Keeps a hint, if there is room.</summary>
    public void Set(Mapping mapping, ExtentHint hint) =>
        _hints.Set(mapping, hint, new MemoryCacheEntryOptions { Size = hint.Bytes });

    /// <summary>The hint for a mapping, or null.</summary>
    public ExtentHint? Get(Mapping mapping) => _hints.Get<ExtentHint>(mapping);

    /// <summary>Forgets a mapping.</summary>
    public void Remove(Mapping mapping) => _hints.Remove(mapping);

    /// <inheritdoc/>
    public void Dispose() => _hints.Dispose();
}
