using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.FileSystems;

/// <summary>Transfers into registered memory and out of it on each file system, direct and buffered.</summary>
public sealed class RegisteredMemoryTests
{
    private const int Page = 65536;
    private const int Pages = 250;

    /// <summary>No multiple of anything.</summary>
    private const int Length = (Pages * Page) - 1000;

    [RingTheory]
    [InlineData(FileSystem.Ext4)]
    [InlineData(FileSystem.JournalledExt4)]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    [InlineData(FileSystem.Tmpfs)]
    public async Task What_is_written_is_read_and_is_in_the_file(string fileSystem)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        string path = Path.Combine(mounted.Path, "file");
        byte[] versions = new byte[Pages];
        Random random = new(7);
        await using (PageCache cache = new(new PageCacheOptions
        {
            PageSize = Page,
            MemoryLimit = 8 << 20,
            MaximumMemoryLimit = 8 << 20,
            IoEngine = IoEngine.IoUring,
            RegisterMemory = true,
        }))
        {
            Assert.SkipWhen(cache.Capabilities.NoRegisteredMemory is not null, cache.Capabilities.NoRegisteredMemory ?? "");
            Mapping mapping = await cache.OpenAsync(path, new MappingOptions { AccessPattern = AccessPattern.Random });
            await mapping.ExtendAsync(Length);
            for (int i = 0; i < 2000; i++)
            {
                int page = random.Next(Pages);
                if (random.Next(2) == 0)
                {
                    using PageReadLease lease = await mapping.ReadAsync(page);
                    Assert.True(lease.Span[..LengthOf(page)].IndexOfAnyExcept(versions[page]) < 0, $"page {page} is not what was written to it");
                }
                else
                {
                    using PageWriteLease lease = await mapping.WriteAsync(page);
                    lease.Span.Fill(++versions[page]);
                    lease.MarkDirty();
                }
            }

            Wait.Until(() => cache.GetStatistics().RegisteredBytes > 0, "memory to be registered");
            await mapping.CloseAsync();
        }

        byte[] bytes = await File.ReadAllBytesAsync(path);
        Assert.Equal(Length, bytes.Length);
        for (int page = 0; page < Pages; page++)
        {
            Assert.True(bytes.AsSpan(page * Page, LengthOf(page)).IndexOfAnyExcept(versions[page]) < 0, $"page {page} is not in the file");
        }
    }

    private static int LengthOf(int page) => Math.Min(Page, Length - (page * Page));
}
