using StorageCache.Tests.FileSystems;
using Xunit;
using static StorageCache.Tests.Sharing.SharingScratch;

namespace StorageCache.Tests.Sharing;

/// <summary>Clones that others have made, of files that are open or not.</summary>
/// <remarks>SH-1, SH-2, SH-3, SH-4.</remarks>
public sealed class ReflinkTests
{
    private const int Pages = 200;

    [Theory]
    [InlineData(FileSystem.Xfs, 4096)]
    [InlineData(FileSystem.Btrfs, 4096)]
    [InlineData(FileSystem.Xfs, 16384)]
    [InlineData(FileSystem.Btrfs, 65536)]
    public async Task A_clone_of_a_file_in_memory_takes_no_read(string type, int pageSize)
    {
        await using SharingScratch scratch = new(type, pageSize, 64 << 20);
        byte[] bytes = scratch.Create("a", 64 * pageSize);
        Mapping a = await scratch.OpenAsync("a");
        AssertHolds(a, bytes);
        scratch.Reflink("a", "b");
        Mapping b = await scratch.OpenAsync("b");
        long read = scratch.BytesRead;
        AssertHolds(b, bytes);
        Assert.Equal(read, scratch.BytesRead);
        Assert.Equal(64, scratch.SharedFrames);
        Assert.Equal(64, scratch.FramesInUse);
        await scratch.CheckAsync("read");
    }

    /// <summary>What the clone holds is what the file system had: not what is in memory.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Dirty_pages_of_the_source_are_not_the_clones(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] old = scratch.Create("a", Pages * PageSize);
        byte[] model = [.. old];
        Mapping a = await scratch.OpenAsync("a");
        AssertHolds(a, old);
        for (int page = 0; page < Pages; page += 2)
        {
            Write(a, model, page, 1000 + page);
        }

        scratch.Reflink("a", "b");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(b, old);
        AssertHolds(a, model);
        Assert.Equal(Pages / 2, scratch.SharedFrames);
        await a.FlushAsync();
        AssertHolds(b, old);
        AssertHolds(a, model);
        Evict(a);
        Evict(b);
        AssertHolds(b, old);
        AssertHolds(a, model);
        await scratch.CheckAsync("flushed");
    }

    /// <summary>What was heard of the source's extents is out of date when the clone is opened.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task A_clone_of_a_file_that_was_written_since_it_was_opened_shares_what_it_has_now(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] first = scratch.Create("a", Pages * PageSize);
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(a, first);
        AssertHolds(b, first);
        byte[] model = [.. first];
        for (int page = 50; page < 150; page++)
        {
            Write(a, model, page, 1000 + page);
        }

        await a.FlushAsync();
        scratch.Reflink("a", "c");
        Mapping c = await scratch.OpenAsync("c");
        long read = scratch.BytesRead;
        AssertHolds(c, model);
        Assert.Equal(read, scratch.BytesRead);
        AssertHolds(a, model);
        AssertHolds(b, first);
        Assert.Equal(Pages, scratch.SharedFrames);
        Assert.Equal(Pages + 100, scratch.FramesInUse);
        await scratch.CheckAsync("written");
    }

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task A_clone_of_a_clone_shares_with_both(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] bytes = scratch.Create("a", Pages * PageSize);
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(b, bytes);
        byte[] model = [.. bytes];
        Write(b, model, 7, 7);
        await b.FlushAsync();
        scratch.Reflink("b", "c");
        Mapping c = await scratch.OpenAsync("c");
        AssertHolds(c, model);
        long read = scratch.BytesRead;
        AssertHolds(a, bytes);
        Assert.Equal(read + PageSize, scratch.BytesRead);
        AssertHolds(b, model);
        Assert.Equal(Pages, scratch.SharedFrames);
        Assert.Equal(Pages + 1, scratch.FramesInUse);
        MappingClone d = await c.CloneAsync(scratch.PathOf("d"));
        await c.CloseAsync();
        await a.CloseAsync();
        AssertHolds(d.Mapping, model);
        Assert.Equal(read + PageSize, scratch.BytesRead);
        await scratch.CheckAsync("cloned");
    }

    [Theory]
    [InlineData(FileSystem.Xfs, false)]
    [InlineData(FileSystem.Btrfs, false)]
    [InlineData(FileSystem.Xfs, true)]
    [InlineData(FileSystem.Btrfs, true)]
    public async Task The_source_comes_back_to_the_frames_that_its_clone_has_kept(string type, bool wasWritten)
    {
        await using SharingScratch scratch = new(type);
        byte[] bytes = scratch.Create("a", Pages * PageSize);
        byte[] model = [.. bytes];
        Mapping a = await scratch.OpenAsync("a");
        AssertHolds(a, bytes);
        scratch.Reflink("a", "b");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(b, bytes);
        if (wasWritten)
        {
            Write(a, model, 5, 5);
        }

        await a.CloseAsync();
        Assert.Equal(0, scratch.SharedFrames);
        AssertHolds(b, bytes);
        a = await scratch.OpenAsync("a");
        long read = scratch.BytesRead;
        AssertHolds(a, model);
        Assert.Equal(read + (wasWritten ? PageSize : 0), scratch.BytesRead);
        Assert.Equal(Pages - (wasWritten ? 1 : 0), scratch.SharedFrames);
        AssertHolds(b, bytes);
        await scratch.CheckAsync("reopened");
    }

    [Theory]
    [InlineData(FileSystem.Xfs, false)]
    [InlineData(FileSystem.Btrfs, false)]
    [InlineData(FileSystem.Xfs, true)]
    [InlineData(FileSystem.Btrfs, true)]
    public async Task Whichever_is_read_first_reads_for_both(string type, bool cloneFirst)
    {
        await using SharingScratch scratch = new(type);
        byte[] bytes = scratch.Create("a", Pages * PageSize);
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        foreach (Mapping mapping in cloneFirst ? new[] { b, a } : [a, b])
        {
            AssertHolds(mapping, bytes);
            Assert.Equal(bytes.Length, scratch.BytesRead);
        }

        Assert.Equal(Pages, scratch.FramesInUse);

        // And again, from the device: the names of the pages outlive the pages.
        Evict(a);
        AssertHolds(b, bytes);
        Assert.Equal(bytes.Length, scratch.BytesRead);
        Evict(b);
        Assert.Equal(0, scratch.FramesInUse);
        AssertHolds(b, bytes);
        AssertHolds(a, bytes);
        Assert.Equal(2 * bytes.Length, scratch.BytesRead);
        Assert.Equal(Pages, scratch.SharedFrames);
        await scratch.CheckAsync("read twice");
    }

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Clones_read_at_once_are_right(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] bytes = scratch.Create("a", Pages * PageSize);
        string[] names = ["a", "b", "c", "d"];
        List<Mapping> mappings = [await scratch.OpenAsync("a")];
        foreach (string name in names[1..])
        {
            scratch.Reflink("a", name);
            mappings.Add(await scratch.OpenAsync(name));
        }

        // Two may come to read one block at the same moment, and each keep what he has read: how many frames that makes is chance.
        await Task.WhenAll(mappings.Select(mapping => Task.Run(() => AssertHolds(mapping, bytes))));
        Assert.InRange(scratch.FramesInUse, Pages, names.Length * Pages);
        mappings.ForEach(mapping => AssertHolds(mapping, bytes));
        mappings[1..].ForEach(Evict);
        mappings.ForEach(mapping => AssertHolds(mapping, bytes));
        Assert.Equal(Pages, scratch.SharedFrames);
        Assert.Equal(Pages, scratch.FramesInUse);
        await scratch.CheckAsync("read at once");
    }

    /// <summary>The last page, which the file fills in part only, takes no part; nor does a file without pages.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task The_part_of_a_page_at_the_end_of_a_file_is_not_shared(string type)
    {
        foreach (int bytes in new[] { 0, 1, 100, PageSize - 1, PageSize, (9 * PageSize) + 1, (10 * PageSize) - 1 })
        {
            await using SharingScratch scratch = new(type);
            byte[] content = scratch.Create("a", bytes);
            Mapping a = await scratch.OpenAsync("a");
            AssertHolds(a, content);
            scratch.Reflink("a", "b");
            Mapping b = await scratch.OpenAsync("b");
            AssertHolds(b, content);
            Assert.Equal(bytes / PageSize, scratch.SharedFrames);

            // What was the last page of both is a whole page of one.
            byte[] longer = [.. content, .. new byte[(3 * PageSize) - (bytes % PageSize)]];
            await a.ExtendAsync(longer.Length);
            Mapping c = await OpenCloneAsync(scratch, a);
            AssertHolds(a, longer);
            AssertHolds(b, content);
            AssertHolds(c, longer);
            await a.FlushAsync();
            Evict(a);
            Evict(b);
            Evict(c);
            AssertHolds(c, longer);
            AssertHolds(b, content);
            AssertHolds(a, longer);
            await scratch.CheckAsync("extended");
        }

        static async Task<Mapping> OpenCloneAsync(SharingScratch scratch, Mapping a)
        {
            await a.FlushAsync();
            scratch.Reflink("a", "c");
            return await scratch.OpenAsync("c");
        }
    }

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Files_opened_for_reading_share(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] bytes = scratch.Create("a", Pages * PageSize);
        scratch.Reflink("a", "b");
        scratch.Reflink("a", "c");
        Mapping a = await scratch.OpenAsync("a", isReadOnly: true);
        Mapping b = await scratch.OpenAsync("b", isReadOnly: true);
        Mapping c = await scratch.OpenAsync("c");
        AssertHolds(a, bytes);
        long read = scratch.BytesRead;
        AssertHolds(b, bytes);
        AssertHolds(c, bytes);
        Assert.Equal(read, scratch.BytesRead);
        byte[] model = [.. bytes];
        Write(c, model, 3, 3);
        await c.FlushAsync();
        AssertHolds(a, bytes);
        AssertHolds(b, bytes);
        AssertHolds(c, model);
        await scratch.CheckAsync("read");
    }
}
