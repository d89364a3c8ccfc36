using StorageCache.Tests.FileSystems;
using StorageCache.Tests.Harness;
using Xunit;
using static StorageCache.Tests.Sharing.SharingScratch;

namespace StorageCache.Tests.Sharing;

/// <summary>Frames that a hundred files and more have in common.</summary>
/// <remarks>P-7, P-8, SH-7, SH-8.</remarks>
public sealed class ManyOwnersTests
{
    private const int Clones = 130;
    private const int Pages = 24;

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task A_frame_of_many_files_is_evicted_and_comes_back_once(string type)
    {
        await using SharingScratch scratch = new(type);
        (Mapping[] mappings, byte[] bytes) = await OpenAllAsync(scratch);
        Assert.Equal(Pages, scratch.FramesInUse);
        Assert.Equal(Pages, scratch.SharedFrames);
        Assert.Equal(bytes.Length, scratch.BytesRead);
        long evictions = scratch.Cache.GetStatistics().Evictions;
        Wait.Until(
            () =>
            {
                scratch.Cache.Core.Reclaimer.Evict(int.MaxValue);
                return scratch.FramesInUse == 0;
            },
            "all frames to be evicted");
        Assert.All(mappings, mapping => Assert.Equal(0, mapping.ResidentPages));
        Assert.True(scratch.Cache.GetStatistics().Evictions > evictions);
        await scratch.CheckAsync("evicted");

        Array.Reverse(mappings);
        Array.ForEach(mappings, mapping => AssertHolds(mapping, bytes));
        Assert.Equal(2 * bytes.Length, scratch.BytesRead);
        Assert.Equal(Pages, scratch.FramesInUse);
        await scratch.CheckAsync("back");
    }

    /// <summary>One of them after the other leaves: by a write, a cut, a punch, an eviction or a close.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Many_owners_leave_a_frame_one_by_one(string type)
    {
        Random random = new(5);
        await using SharingScratch scratch = new(type);
        (Mapping[] mappings, byte[] bytes) = await OpenAllAsync(scratch);
        byte[][] models = [.. mappings.Select(_ => (byte[])[.. bytes])];
        foreach (int owner in Enumerable.Range(0, mappings.Length).OrderBy(_ => random.Next()))
        {
            Mapping mapping = mappings[owner];
            switch (random.Next(5))
            {
                case 0:
                    Write(mapping, models[owner], random.Next(Pages), owner);
                    break;
                case 1:
                    await mapping.TruncateAsync(3 * PageSize);
                    models[owner] = models[owner][..(3 * PageSize)];
                    break;
                case 2:
                    await mapping.PunchAsync(4, 4);
                    models[owner].AsSpan(4 * PageSize, 4 * PageSize).Clear();
                    break;
                case 3:
                    Evict(mapping);
                    break;
                default:
                    await mapping.CloseAsync();
                    models[owner] = [];
                    break;
            }

            int other = random.Next(mappings.Length);
            if (models[other].Length > 0)
            {
                AssertHolds(mappings[other], models[other]);
            }
        }

        for (int owner = 0; owner < mappings.Length; owner++)
        {
            if (models[owner].Length > 0)
            {
                AssertHolds(mappings[owner], models[owner]);
            }
        }

        await scratch.CheckAsync("left");
    }

    /// <summary>Whoever stands in line for a page of one file is no concern of a file that has the frame as well.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task A_file_is_cut_while_a_thousand_wait_for_a_page_of_another(string type)
    {
        const int Waiters = 1000;
        await using SharingScratch scratch = new(type, stealLimit: 0);
        byte[] bytes = scratch.Create("a", Pages * PageSize);
        scratch.Reflink("a", "b");
        Mapping a = await scratch.OpenAsync("a");
        Mapping b = await scratch.OpenAsync("b");
        AssertHolds(a, bytes);
        AssertHolds(b, bytes);

        // A reader, so that the frame stays common; a writer behind him, so that all who come later wait.
        PageReadLease held = b.Read(5);
        Task<PageWriteLease> writer = b.WriteAsync(5).AsTask();
        Wait.Until(() => scratch.Cache.Core.Counters.Waits >= 1, "the writer to wait");
        Task<PageReadLease>[] readers = [.. Enumerable.Range(0, Waiters).Select(_ => b.ReadAsync(5).AsTask())];
        Assert.DoesNotContain(readers, reader => reader.IsCompleted);
        await a.TruncateAsync(0).InTime();
        Assert.DoesNotContain(readers, reader => reader.IsCompleted);
        Assert.Equal(0, a.ResidentPages);
        Assert.True(held.Span.SequenceEqual(bytes.AsSpan(5 * PageSize, PageSize)));
        held.Dispose();
        byte[] model = [.. bytes];
        using (PageWriteLease lease = await writer.InTime())
        {
            Content(PageSize, 6).CopyTo(lease.Span);
            lease.MarkDirty();
        }

        Content(PageSize, 6).CopyTo(model, 5 * PageSize);
        foreach (Task<PageReadLease> reader in readers)
        {
            using PageReadLease lease = await reader.InTime();
            Assert.True(lease.Span.SequenceEqual(model.AsSpan(5 * PageSize, PageSize)));
        }

        await a.ExtendAsync(Pages * PageSize);
        AssertHolds(a, new byte[Pages * PageSize]);
        AssertHolds(b, model);
        await scratch.CheckAsync("cut");
    }

    private static async Task<(Mapping[] Mappings, byte[] Bytes)> OpenAllAsync(SharingScratch scratch)
    {
        byte[] bytes = scratch.Create("source", Pages * PageSize);
        List<Mapping> mappings = [await scratch.OpenAsync("source")];
        AssertHolds(mappings[0], bytes);
        for (int clone = 0; clone < Clones; clone++)
        {
            // Of each other as well, not only of the first.
            string from = Path.GetFileName(mappings[clone / 2].Path);
            scratch.Reflink(from, $"clone{clone}");
            mappings.Add(await scratch.OpenAsync($"clone{clone}"));
            AssertHolds(mappings[^1], bytes);
        }

        return ([.. mappings], bytes);
    }
}
