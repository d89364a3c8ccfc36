using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>Errors that a block device makes, through the kernel and each engine.</summary>
public sealed class BrokenDiskTests
{
    private const int Page = 4096;

    /// <summary>Pages of the disk.</summary>
    private const int Pages = 128;

    /// <summary>Those from here on are cut off.</summary>
    private const int Good = 40;

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task A_page_that_the_disk_cannot_read_fails_alone_and_comes_when_it_can(IoEngine engine)
    {
        byte[] content = BlockDeviceTests.Pattern(Pages * Page, 1);
        using BrokenDisk disk = BrokenDisk.Create(Pages * Page, content);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(disk.Path, new MappingOptions { AccessPattern = AccessPattern.Random });
        Assert.True(mapping.IsDirect);
        Assert.Equal(Pages, mapping.PageCount);
        disk.Cut(Good * Page);

        AssertEio(Assert.Throws<PageReadException>(() => mapping.Read(Good)), mapping, Good);
        AssertEio(await Assert.ThrowsAsync<PageReadException>(() => mapping.ReadAsync(Good + 1).InTime()), mapping, Good + 1);
        AssertEio(await Assert.ThrowsAsync<PageReadException>(() => mapping.WriteAsync(Good + 2).InTime()), mapping, Good + 2);
        AssertEio(await Assert.ThrowsAsync<PageReadException>(() => mapping.PinAsync(Pages - 1).InTime()), mapping, Pages - 1);
        for (int page = 0; page < Good; page++)
        {
            using PageReadLease lease = page % 2 == 0 ? mapping.Read(page) : await mapping.ReadAsync(page).InTime();
            Assert.True(lease.Span.SequenceEqual(content.AsSpan(page * Page, Page)));
        }

        Assert.Equal(4, cache.GetStatistics().ReadErrors);
        await Quiet.CheckAsync(cache, "with a disk that is cut short");

        disk.Mend();
        using (PageReadLease lease = await mapping.ReadAsync(Good + 1).InTime())
        {
            Assert.True(lease.Span.IndexOfAnyExcept((byte)0) < 0);
        }

        await mapping.CloseAsync();
    }

    /// <remarks>One request reads across the cut. What it brings is not thrown away with what it cannot bring.</remarks>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task A_run_that_the_disk_cannot_read_is_narrowed_to_the_pages_that_fail(IoEngine engine)
    {
        byte[] content = BlockDeviceTests.Pattern(Pages * Page, 2);
        using BrokenDisk disk = BrokenDisk.Create(Pages * Page, content);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(disk.Path, new MappingOptions { AccessPattern = AccessPattern.Random });
        disk.Cut(Good * Page);

        Assert.Equal(20, mapping.Prefetch(Good - 10, 20));
        Wait.Until(() => cache.Core.Loads.InUse == 0, "the prefetch to end");

        for (int page = Good - 10; page < Good + 10; page++)
        {
            Assert.Equal(page < Good, mapping.TryRead(page, out PageReadLease lease));
            Assert.True(page >= Good || lease.Span.SequenceEqual(content.AsSpan(page * Page, Page)));
            lease.Dispose();
        }

        await Quiet.CheckAsync(cache, "after the prefetch");
        await mapping.CloseAsync();
    }

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task Nothing_is_forgotten_while_the_disk_takes_no_writes(IoEngine engine)
    {
        using BrokenDisk disk = BrokenDisk.Create(Pages * Page);
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(disk.Path, new MappingOptions { AccessPattern = AccessPattern.Random });
        disk.RefuseWrites();
        for (int page = 10; page < 20; page++)
        {
            Fill(mapping, page, (byte)page);
        }

        for (int attempt = 0; attempt < 2; attempt++)
        {
            PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
            Assert.InRange(error.Page!.Value, 10, 19);
            AssertErrno(error, mapping, Errno.EIO);
            Assert.Equal(MappingState.Open, mapping.State);
            Assert.Equal(10, cache.GetStatistics().DirtyPages);
            AssertFilled(mapping, 10, 20);
            await Quiet.CheckAsync(cache, "with a disk that takes no writes");
        }

        // The others come and go meanwhile.
        for (int page = 20; page < Pages; page++)
        {
            mapping.Read(page).Dispose();
        }

        await Assert.ThrowsAsync<PageWriteException>(() => mapping.CloseAsync().InTime());
        disk.TakeWrites();
        await mapping.FlushAsync().InTime();
        Assert.Equal(0, cache.GetStatistics().DirtyPages);
        await mapping.CloseAsync().InTime();
        for (int page = 10; page < 20; page++)
        {
            Assert.True(disk.Read(page * Page, Page).AsSpan().IndexOfAnyExcept((byte)page) < 0, $"page {page}");
        }
    }

    /// <summary>The disk has room for some pages of a run and none for the others.</summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task Pages_that_a_thin_disk_has_no_room_for_stay_dirty(IoEngine engine)
    {
        using BrokenDisk disk = BrokenDisk.CreateThin(Pages * Page, Good * Page, BlockDeviceTests.Pattern(30 * Page, 3));
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(disk.Path, new MappingOptions { AccessPattern = AccessPattern.Random });
        for (int page = Good - 10; page < Good + 10; page++)
        {
            Fill(mapping, page, (byte)page);
        }

        try
        {
            PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => mapping.FlushAsync().InTime());
            AssertErrno(error, mapping, Errno.ENOSPC);
            Assert.InRange(error.Page!.Value, Good - 10, Good + 9);
            for (int page = Good - 10; page < Good + 10; page++)
            {
                // The block layer may have merged writes of neighbours, and then they fail together, though they were asked for singly.
                Assert.True(page >= Good || mapping.IsDirty(page), $"page {page}");
                Assert.True(mapping.IsDirty(page) || disk.Read(page * Page, Page).AsSpan().IndexOfAnyExcept((byte)page) < 0, $"page {page}");
            }

            AssertFilled(mapping, Good - 10, Good + 10);
        }
        finally
        {
            // In any case, or the cache could not be disposed of and would hide what has failed.
            disk.GiveRoom(2 * Pages * Page);
        }

        await mapping.FlushAsync().InTime();
        await mapping.CloseAsync().InTime();
        for (int page = Good - 10; page < Good + 10; page++)
        {
            Assert.True(disk.Read(page * Page, Page).AsSpan().IndexOfAnyExcept((byte)page) < 0, $"page {page}");
        }
    }

    /// <summary>What the cache can and cannot read of a file is what the kernel can and cannot, page for page.</summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task A_file_on_a_broken_disk_is_readable_as_far_as_the_disk_is(IoEngine engine)
    {
        const int FilePages = 2048;
        using BrokenDisk disk = BrokenDisk.Create(32 << 20);
        using MountedFileSystem mounted = MountedFileSystem.On(disk.Path, "ext4", "-b", "4096");
        string path = Path.Combine(mounted.Path, "file");
        byte[] content = BlockDeviceTests.Pattern(FilePages * Page, 4);
        await File.WriteAllBytesAsync(path, content);
        mounted.Remount();
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(path);
        disk.Cut(9 << 20);
        bool[] isReadable = new bool[FilePages];
        for (int page = 0; page < FilePages; page++)
        {
            if (page % 32 == 0)
            {
                // As much as there are frames free for; the others are read one by one.
                mapping.Prefetch(page, 32);
            }

            try
            {
                using PageReadLease lease = await mapping.ReadAsync(page).InTime();
                Assert.True(lease.Span.SequenceEqual(content.AsSpan(page * Page, Page)), $"page {page}");
                isReadable[page] = true;
            }
            catch (PageReadException error)
            {
                AssertEio(error, mapping, page);
            }
        }

        Assert.Contains(true, isReadable);
        Assert.Contains(false, isReadable);
        await Quiet.CheckAsync(cache, "after the reads");
        await mapping.CloseAsync().InTime();
        Assert.Equal(isReadable, KernelCanRead(path, FilePages));
    }

    /// <summary>
    /// The unaligned end of a file goes through the kernel's cache, which takes it; that it cannot be written is heard only when the file
    /// is synced, and that is final (WB-5).
    /// </summary>
    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task An_error_that_the_kernel_keeps_for_the_sync_fails_the_flush_for_good(IoEngine engine)
    {
        using BrokenDisk disk = BrokenDisk.Create(32 << 20);

        // Without a journal: one that cannot be written has the whole file system turn read-only, at a time of its own.
        using MountedFileSystem mounted = MountedFileSystem.On(disk.Path, "ext4", "-b", "4096", "-O", "^has_journal", "-E", "lazy_itable_init=0");
        string path = Path.Combine(mounted.Path, "file");
        await File.WriteAllBytesAsync(path, BlockDeviceTests.Pattern((3 * Page) + 100, 5));
        mounted.Remount();
        await using PageCache cache = NewCache(engine);
        Mapping mapping = await cache.OpenAsync(path);
        Assert.True(mapping.IsDirect);
        Fill(mapping, 3, 0x33);
        disk.RefuseWrites();

        FlushFailedException error = await Assert.ThrowsAsync<FlushFailedException>(() => mapping.FlushAsync().InTime());

        AssertErrno(error, mapping, Errno.EIO);
        Assert.Equal(MappingState.Failed, mapping.State);
        Assert.True(mapping.IsDirty(3));
        using (PageReadLease lease = mapping.Read(3))
        {
            Assert.Equal(0x33, lease.Span[0]);
        }

        disk.TakeWrites();
        await Assert.ThrowsAsync<MappingFailedException>(() => mapping.FlushAsync().InTime());
        await mapping.CloseAsync().InTime();
    }

    /// <summary>Reads each page by itself, past the kernel's cache.</summary>
    private static unsafe bool[] KernelCanRead(string path, int pages)
    {
        bool[] isReadable = new bool[pages];
        byte* buffer = (byte*)NativeMemory.AlignedAlloc(Page, Page);
        using (SafeFileHandle file = new(LibC.open(path, LibC.O_RDONLY | LibC.O_DIRECT | LibC.O_CLOEXEC, 0), ownsHandle: true))
        {
            for (int page = 0; page < pages; page++)
            {
                isReadable[page] = LibC.pread(file, buffer, Page, page * (long)Page) == Page;
            }
        }

        NativeMemory.AlignedFree(buffer);
        return isReadable;
    }

    private static PageCache NewCache(IoEngine engine) => new(new PageCacheOptions
    {
        MemoryLimit = CacheCore.LeastMemory(Page),
        IoEngine = engine,
        IoThreads = 4,

        // Write-back by the test alone.
        WriteBackInterval = TimeSpan.FromHours(1),
        DirtyBackgroundRatio = 0.9,
        DirtyLimitRatio = 0.95,
    });

    private static void Fill(Mapping mapping, long page, byte value)
    {
        using PageWriteLease lease = mapping.Write(page);
        lease.Span.Fill(value);
        lease.MarkDirty();
    }

    private static void AssertFilled(Mapping mapping, int first, int end)
    {
        for (int page = first; page < end; page++)
        {
            using PageReadLease lease = mapping.Read(page);
            Assert.True(lease.Span.IndexOfAnyExcept((byte)page) < 0, $"page {page}");
        }
    }

    private static void AssertEio(PageReadException error, Mapping mapping, long page)
    {
        Assert.Equal(page, error.Page);
        AssertErrno(error, mapping, Errno.EIO);
    }

    private static void AssertErrno(PageCacheException error, Mapping mapping, int errno)
    {
        Assert.Equal(mapping.Path, error.Path);
        Assert.Equal(errno, error.HResult);
        Assert.Equal(errno, Assert.IsType<BlockIOException>(error.InnerException).Errno);
    }
}
