using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Memory;
using StorageCache.Workloads.Devices;
using StorageCache.Workloads.Hit.Bare;
using StorageCache.Workloads.Memory;

namespace StorageCache.Workloads.Hit;

/// <summary>
/// The same pages, all in memory, in every structure that is compared. The baselines share one set of frames. Pages are
/// loaded in one random order everywhere, so no structure has its frames or heads in the order of its page numbers.
/// </summary>
internal sealed class HitResident : IAsyncDisposable
{
    private const int PageSize = 4096;
    private const long MetadataRoom = 128L << 20;

    private readonly LargeRegion _frames;
    private readonly PageCache _cache;

    private unsafe HitResident(int pageCount, PageCache cache, Mapping mapping)
    {
        _cache = cache;
        PageCount = pageCount;
        Mapping = mapping;
        Dictionary = new ConcurrentDictionary<long, nint>(Environment.ProcessorCount, pageCount);
        MemoryCache = new MemoryCache(new MemoryCacheOptions());
        _frames = new LargeRegion((long)pageCount * PageSize);
        Bare = BareCache.TryCreate(pageCount, _frames.Address, out string? reason);
        BareMissingReason = reason;

        int[] loadOrder = PageSequence.Permutation(pageCount, seed: 7);
        for (int frame = 0; frame < loadOrder.Length; frame++)
        {
            int page = loadOrder[frame];
            long* bytes = (long*)(_frames.Address + ((long)frame * PageSize));
            *bytes = page;
            Bare?.Load(page, frame);
            Dictionary[page] = (nint)bytes;
            MemoryCache.Set((long)page, (nint)bytes);
            mapping.Read(page).Dispose();
        }
    }

    /// <summary>How many pages there are; their numbers are below it.</summary>
    public int PageCount { get; }

    /// <summary>The pages in StorageCache.</summary>
    public Mapping Mapping { get; }

    /// <summary>The pages in the bare baseline, or null where it could not be compiled.</summary>
    public BareCache? Bare { get; }

    /// <summary>Why there is no bare baseline, or null.</summary>
    public string? BareMissingReason { get; }

    /// <summary>Addresses of the pages by number.</summary>
    public ConcurrentDictionary<long, nint> Dictionary { get; }

    /// <summary>Addresses of the pages by number.</summary>
    public MemoryCache MemoryCache { get; }

    /// <summary>Misses of StorageCache since it was made.</summary>
    public long Misses => _cache.GetStatistics().Misses;

    /// <summary>Loads every page everywhere.</summary>
    public static async Task<HitResident> CreateAsync(int pageCount)
    {
        long bytes = (long)pageCount * PageSize;
        PageCache cache = new(new PageCacheOptions { MemoryLimit = bytes + MetadataRoom, PageSize = PageSize });
        Mapping mapping = await cache.OpenAsync(new StampedDevice(bytes, PageSize));
        return new HitResident(pageCount, cache, mapping);
    }

    /// <summary>Checks that every page still holds its own number, in the cache and in the baselines' frames.</summary>
    /// <exception cref="WorkloadFailedException">A page does not.</exception>
    public unsafe void Verify()
    {
        for (int page = 0; page < PageCount; page++)
        {
            using PageReadLease lease = Mapping.Read(page);
            long ours = BitConverter.ToInt64(lease.Span);
            long theirs = *(long*)Dictionary[page];
            if (ours != page || theirs != page)
            {
                throw new WorkloadFailedException($"page {page} holds {ours} in the cache and {theirs} in the baselines' frames.");
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Mapping.DisposeAsync();
        await _cache.DisposeAsync();
        MemoryCache.Dispose();
        Bare?.Dispose();
        _frames.Dispose();
    }
}
