using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.FileSystems;

/// <summary>
/// Files that are made longer while pages behind their end are written. XFS (seen with Linux 6.18) zeroes from where the file ended when
/// <c>ftruncate</c> was called, after it has waited for the asynchronous direct writes under way, and loses what they brought (WB-8).
/// </summary>
public sealed class GrowingFileTests
{
    private const int Page = 4096;
    private const int Pages = 512;
    private const int Rounds = 40;

    [Theory]
    [MemberData(nameof(FileSystem.WithEachEngine), MemberType = typeof(FileSystem))]
    public async Task What_is_written_while_the_file_grows_is_not_lost(string fileSystem, IoEngine engine)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        await using PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = 8 << 20,
            IoEngine = engine,
            WriteBackInterval = TimeSpan.FromMilliseconds(1),
        });
        Mapping mapping = await cache.OpenAsync(Path.Combine(mounted.Path, "file"));
        for (int round = 1; round <= Rounds; round++)
        {
            await mapping.TruncateAsync(0);
            await mapping.ExtendAsync(Pages * Page);
            Task flush = Task.Run(async () => await mapping.FlushAsync());
            for (int page = 0; page < Pages; page++)
            {
                using PageWriteLease lease = mapping.WriteNew(page);
                lease.Span.Fill((byte)round);
            }

            await flush;
            await mapping.FlushAsync();
            Wait.Until(() => mapping.DontNeed(0, Pages) >= 0 && mapping.ResidentPages == 0, "the pages to leave");
            for (int page = 0; page < Pages; page++)
            {
                using PageReadLease lease = mapping.Read(page);
                int other = lease.Span.IndexOfAnyExcept((byte)round);
                Assert.True(other < 0, other < 0 ? "" : $"round {round}: byte {other} of page {page} is {lease.Span[other]}");
            }
        }
    }
}
