using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Crashes;

/// <summary>Pages that are newer than the log beside them.</summary>
/// <remarks>
/// KV-23. A page gets to the device only when the log is durable up to its last change, so such a log is not the one
/// that it was written with.
/// </remarks>
public class OlderLogTests
{
    private const int PageSize = 4096;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_older_copy_of_the_log_beside_newer_pages_is_refused_and_nothing_is_touched()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("copy.kv");
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(directory.File()))
        {
            await PutAsync(store, 0, 100);
            FileCopy.OfOpenFile(directory.File() + ".log", path + ".log");
            await PutAsync(store, 100, 400);
            await FlushPagesAsync(store, directory.File());
            FileCopy.OfOpenFile(directory.File(), path);
        }

        byte[] pages = await File.ReadAllBytesAsync(path, Cancellation);
        byte[] log = await File.ReadAllBytesAsync(path + ".log", Cancellation);
        CorruptStoreException exception = await Assert.ThrowsAsync<CorruptStoreException>(async () => await KeyValueStore.OpenAsync(path));
        Assert.Equal(MapLayout.FirstMapPage, exception.Page);
        ulong lsn = PageHeader.Lsn(pages.AsSpan((int)MapLayout.FirstMapPage * PageSize));
        Assert.Contains($"LSN {lsn}, and the log ends at LSN ", exception.Message, StringComparison.Ordinal);
        Assert.Equal(pages, await File.ReadAllBytesAsync(path, Cancellation));
        Assert.Equal(log, await File.ReadAllBytesAsync(path + ".log", Cancellation));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_page_that_the_log_does_not_reach_is_told_when_it_is_read_and_by_the_check(bool readOnly)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            await PutAsync(store, 0, 400);
        }

        const ulong Later = 1UL << 40;
        long leaf = await MakeLaterAsync(path, Later);
        await using KeyValueStore again = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = readOnly });
        CorruptStoreException exception = await Assert.ThrowsAsync<CorruptStoreException>(async () =>
        {
            for (int key = 0; key < 400; key++)
            {
                await again.GetAsync(TestData.Key(key), Cancellation);
            }
        });
        Assert.Equal(leaf, exception.Page);
        Assert.Contains($"LSN {Later}", exception.Message, StringComparison.Ordinal);
        CheckReport report = await again.CheckAsync(cancellationToken: Cancellation);
        CheckProblem problem = Assert.Single(report.Problems);
        Assert.Equal(leaf, problem.Page);
        Assert.Contains($"LSN {Later}", problem.Message, StringComparison.Ordinal);
    }

    /// <summary>The log that a closed store gets goes on where the old one ended, so no page is beyond it; nor is one of a clone.</summary>
    [Fact]
    public async Task A_log_made_anew_and_the_log_of_a_clone_reach_every_page()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        string clonePath = directory.File("clone.kv");
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            await PutAsync(store, 0, 400);
            KeyValueStoreClone clone = await store.CloneAsync(clonePath, Cancellation);
            Assert.True((await clone.Store.CheckAsync(cancellationToken: Cancellation)).IsSound);
            await clone.Store.CloseAsync();
        }

        File.Delete(path + ".log");
        foreach (string name in (string[])[path, clonePath])
        {
            await using KeyValueStore again = await KeyValueStore.OpenAsync(name);
            Assert.True((await again.CheckAsync(cancellationToken: Cancellation)).IsSound);
            Assert.Equal(400, again.Count);
        }
    }

    private static async Task PutAsync(KeyValueStore store, int from, int to)
    {
        for (int key = from; key < to; key++)
        {
            await store.PutAsync(TestData.Key(key), TestData.Value(key, 300), Cancellation);
        }
    }

    /// <summary>Writes what is dirty without a checkpoint, as the background does: the redo point stays.</summary>
    private static async Task FlushPagesAsync(KeyValueStore store, string path)
    {
        await using Mapping mapping = await store.Cache.OpenAsync(path, cancellationToken: Cancellation);
        await mapping.FlushAsync(Cancellation);
    }

    /// <summary>Gives one leaf a later change, with the checksum that goes with it.</summary>
    private static async Task<long> MakeLaterAsync(string path, ulong lsn)
    {
        byte[] bytes = await File.ReadAllBytesAsync(path, Cancellation);
        for (int page = (int)MapLayout.FirstMapPage + 1; page < bytes.Length / PageSize; page++)
        {
            Memory<byte> image = bytes.AsMemory(page * PageSize, PageSize);
            if (PageHeader.Lsn(image.Span) != 0 && new TreePage(image.Span) is { IsPlausible: true, Level: 0 })
            {
                PageHeader.SetLsn(image.Span, lsn);
                PageChecksum.Write(image.Span, page);
                await File.WriteAllBytesAsync(path, bytes, Cancellation);
                return page;
            }
        }

        throw new InvalidOperationException("There is no leaf.");
    }
}
