using System.Globalization;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>The threads of a cache: they take no processor time for nothing.</summary>
[Collection(nameof(Alone))]
public sealed class CacheThreadTests
{
    private const int Page = 4096;
    private const int Pages = 64;

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task All_threads_of_an_idle_cache_sleep(IoEngine engine)
    {
        using ScratchDirectory directory = new();
        string path = directory.File("file");
        await File.WriteAllBytesAsync(path, new byte[Pages * Page], TestContext.Current.CancellationToken);
        HashSet<string> others = [.. Threads()];
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, IoEngine = engine, WriteBackInterval = TimeSpan.FromHours(1) });
        Mapping mapping = await cache.OpenAsync(path);
        for (int page = 0; page < Pages; page++)
        {
            using PageWriteLease lease = await mapping.WriteAsync(page).InTime();
            lease.MarkDirty();
        }

        await mapping.FlushAsync().InTime();
        string[] threads = [.. Threads().Where(thread => !others.Contains(thread))];

        // Those for eviction, write-back and tasks, and one at least of the engine's.
        Assert.InRange(threads.Length, 4, int.MaxValue);
        Wait.Until(
            () =>
            {
                long before = threads.Sum(ProcessorTime);
                Thread.Sleep(100);
                return threads.Sum(ProcessorTime) == before;
            },
            "the threads of the cache to sleep for a while");
        await mapping.CloseAsync().InTime();
    }

    /// <summary>Threads of caches in this process, by their directories.</summary>
    private static IEnumerable<string> Threads() => Directory.EnumerateDirectories("/proc/self/task")
        .Where(thread => Read(thread, "comm").StartsWith("StorageCache ", StringComparison.Ordinal));

    /// <summary>Nanoseconds on a processor, of user and kernel.</summary>
    private static long ProcessorTime(string thread) => long.Parse(Read(thread, "schedstat").Split(' ')[0], CultureInfo.InvariantCulture);

    private static string Read(string thread, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, file));
        }
        catch (IOException)
        {
            // It has ended meanwhile.
            return "0";
        }
    }
}
