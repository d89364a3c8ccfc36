using System.Runtime.InteropServices;
using StorageCache.Workloads.Disk;
using StorageCache.Workloads.Hit;

namespace StorageCache.Workloads.Clones;

/// <summary>Clones that are open through one cache.</summary>
internal sealed class CloneReads : IAsyncDisposable
{
    private const int ChangeShift = 48;

    private readonly PageCache _cache;
    private readonly List<Mapping> _mappings = [];
    private readonly List<HashSet<int>> _changed = [];
    private readonly int _pages;

    private CloneReads(PageCache cache, int pages)
    {
        _cache = cache;
        _pages = pages;
    }

    /// <summary>Frames in use, in copies of one file.</summary>
    public double FrameCopies
    {
        get
        {
            PageCacheStatistics statistics = _cache.GetStatistics();
            return (statistics.MemoryUsed - statistics.MetadataBytes) / (double)CopyBytes;
        }
    }

    /// <summary>Memory in use with all metadata, in copies of one file.</summary>
    public double MemoryCopies => _cache.GetStatistics().MemoryUsed / (double)CopyBytes;

    /// <summary>What the devices have brought, in copies of one file.</summary>
    public double ReadCopies => _cache.GetStatistics().BytesRead / (double)CopyBytes;

    private long CopyBytes => (long)_pages * StampedFile.PageSize;

    /// <summary>Opens all files, with the options that mappings have by themselves.</summary>
    public static async Task<CloneReads> OpenAsync(CloneFiles files, StampedFile original, long memoryLimit)
    {
        PageCache cache = new(new PageCacheOptions { MemoryLimit = memoryLimit });
        CloneReads reads = new(cache, (int)original.Pages);
        try
        {
            foreach (string path in files.Paths)
            {
                reads._mappings.Add(await cache.OpenAsync(path, new MappingOptions { Mode = MappingMode.Open }));
                reads._changed.Add([]);
            }

            return reads;
        }
        catch
        {
            await reads.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads one file in full.</summary>
    /// <exception cref="WorkloadFailedException">A page holds the wrong bytes.</exception>
    public void Read(int file)
    {
        Mapping mapping = _mappings[file];
        HashSet<int> changed = _changed[file];
        for (int page = 0; page < _pages; page++)
        {
            using PageReadLease lease = mapping.Read(page);
            StampedFile.Check(lease.Span, changed.Contains(page) ? Changed(file, page) : page);
        }
    }

    /// <summary>Reads all files in full, one after the other.</summary>
    public void ReadAll()
    {
        for (int file = 0; file < _mappings.Count; file++)
        {
            Read(file);
        }
    }

    /// <summary>Changes a part of each file's pages, others in each, and flushes them.</summary>
    /// <param name="part">Which part of them.</param>
    /// <param name="seed">Chooses the pages.</param>
    public async Task DivergeAsync(double part, int seed)
    {
        for (int file = 0; file < _mappings.Count; file++)
        {
            int[] order = PageSequence.Permutation(_pages, (seed * _mappings.Count) + file);
            foreach (int page in order.AsSpan(0, (int)(_pages * part)))
            {
                using PageWriteLease lease = _mappings[file].Write(page);
                MemoryMarshal.Write(lease.Span, Changed(file, page));
                lease.MarkDirty();
                _changed[file].Add(page);
            }
        }

        foreach (Mapping mapping in _mappings)
        {
            await mapping.FlushAsync();
        }
    }

    /// <summary>Reads everything once more, and sees that all of it is in memory.</summary>
    /// <exception cref="WorkloadFailedException">A page was not, or holds the wrong bytes.</exception>
    public void VerifyResident()
    {
        long misses = _cache.GetStatistics().Misses;
        ReadAll();
        misses = _cache.GetStatistics().Misses - misses;
        if (misses != 0)
        {
            throw new WorkloadFailedException($"{misses} pages of clones have left memory, which has room for them");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Mapping mapping in _mappings)
        {
            await mapping.CloseAsync();
        }

        await _cache.DisposeAsync();
    }

    private static long Changed(int file, int page) => ((file + 1L) << ChangeShift) | (uint)page;
}
