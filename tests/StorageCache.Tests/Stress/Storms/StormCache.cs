using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Stress.Storms;

/// <summary>The cache that the storm goes over, and what all who make it do with it.</summary>
internal sealed class StormCache : IAsyncDisposable
{
    private readonly StormSettings _settings;
    private readonly SharingDomain _domain;

    /// <summary>Odd while the cache is being resized; every resize makes it another.</summary>
    private int _resizes;

    public StormCache(StormSettings settings)
    {
        _settings = settings;
        _domain = new SharingDomain("storm") { SharesContent = settings.SharesContent, IsHardened = settings.IsHardened };
        Values = new PageValues(settings.PageSize);
        Cache = new PageCache(settings.MakeOptions());
    }

    public PageCache Cache { get; }

    public PageValues Values { get; }

    public int PageSize => _settings.PageSize;

    /// <summary>Opens a file that is read in no order: nothing is read ahead.</summary>
    public async Task<Mapping> OpenAsync(string path) =>
        await Cache.OpenAsync(path, new MappingOptions { SharingDomain = _domain, AccessPattern = AccessPattern.Random });

    /// <summary>Gives the cache another limit, unless somebody else is at it.</summary>
    public async Task ResizeAsync(Random random)
    {
        int before = Volatile.Read(ref _resizes);
        if (before % 2 == 0 && Interlocked.CompareExchange(ref _resizes, before + 1, before) == before)
        {
            await Cache.ResizeAsync(_settings.LeastMemory * (1 + random.Next(FileStorm.MostMemory / 2)));
            Volatile.Write(ref _resizes, before + 2);
        }
    }

    /// <summary>Demands that the limit is kept, which it need not be while the cache is resized (F-1).</summary>
    public void AssertLimitIsKept()
    {
        int before = Volatile.Read(ref _resizes);
        long used = Cache.Core.Budget.Used;
        long limit = Cache.Core.Budget.Limit;
        Interlocked.MemoryBarrier();
        if (before % 2 == 0 && Volatile.Read(ref _resizes) == before)
        {
            Assert.True(used <= limit, $"{used} bytes are used of {limit}");
        }
    }

    /// <summary>Evicts what can be, if nobody has closed the mapping.</summary>
    public void TryDontNeed(Mapping mapping, long page, long count)
    {
        try
        {
            mapping.DontNeed(page, count);
        }
        catch (MappingClosedException)
        {
            // Reopened or replaced meanwhile.
        }
    }

    /// <summary>Says what a file has in a page, whatever the cache has.</summary>
    public string DescribeOnDisk(string path, int page)
    {
        // By a program, and from a copy: this process is refused a file that a mapping has locked.
        string copy = $"{path}.copy";
        if (MountedFileSystem.TryRun("cp", "--reflink=never", path, copy) is { } failure)
        {
            return $"nothing to be read ({failure})";
        }

        byte[] bytes = File.ReadAllBytes(copy);
        long from = page * (long)PageSize;
        return from + PageSize <= bytes.Length ? Values.Describe(bytes.AsSpan((int)from, PageSize)) : $"{bytes.Length} bytes only";
    }

    public ValueTask DisposeAsync() => Cache.DisposeAsync();
}
