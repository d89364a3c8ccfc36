using System.Buffers.Binary;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

/// <summary>Pages whose checksum is right and whose numbers are not.</summary>
public class ForgedPageTests
{
    private const int PageSize = 4096;
    private const int Keys = 200;

    [Fact]
    public async Task A_leaf_whose_cells_overlap_is_read_but_neither_changed_nor_found_sound()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, store => store.PutAsync(TestData.Key(Keys), Array.Empty<byte>()).AsTask());
        byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        long leaf = OverlapCellsOfFirstLeaf(file);
        await File.WriteAllBytesAsync(path, file, TestContext.Current.CancellationToken);

        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        Assert.NotNull(await store.GetAsync(TestData.Key(0)));
        CorruptStoreException exception = await Assert.ThrowsAsync<CorruptStoreException>(async () => await store.PutAsync(TestData.Key(0), new byte[5]));
        Assert.Equal(leaf, exception.Page);
        await Assert.ThrowsAsync<CorruptStoreException>(async () => await store.DeleteAsync(TestData.Key(0)));
        CheckReport report = await store.CheckAsync();
        Assert.Contains(report.Problems, problem => problem.Page == leaf && problem.Message.Contains("overlap", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_value_whose_pages_are_said_to_be_neighbours_and_that_are_others_pages_is_not_freed()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, store => store.PutAsync(TestData.Key(Keys), TestData.Value(1, 20_000)).AsTask());
        byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        ForgeFirstPageOfLastValue(file, file.Length / PageSize - 2);
        await File.WriteAllBytesAsync(path, file, TestContext.Current.CancellationToken);

        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        await Assert.ThrowsAsync<CorruptStoreException>(async () => await store.DeleteAsync(TestData.Key(Keys)));
        Assert.Equal(Keys + 1, store.Count);
        await store.PutAsync(TestData.Key(0), new byte[5]);
    }

    /// <remarks>KV-2: what a page holds when its last write was lost, and the tree has changed meanwhile.</remarks>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_leaf_that_holds_keys_of_another_one_is_not_scanned(bool reverse)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await CreateAsync(path, store => store.PutAsync(TestData.Key(Keys), Array.Empty<byte>()).AsTask());
        byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        long first = FindLeaf(file, page => page.Previous == 0);
        long second = PageHeader.Next(PageOf(file, first));
        PageOf(file, first).CopyTo(PageOf(file, second));
        PageChecksum.Write(PageOf(file, second), second);
        await File.WriteAllBytesAsync(path, file, TestContext.Current.CancellationToken);

        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        CorruptStoreException exception = await Assert.ThrowsAsync<CorruptStoreException>(async () =>
        {
            await foreach (KeyValueEntry entry in store.ScanAsync(new ScanOptions { Reverse = reverse }))
            {
                Assert.NotEqual(0, entry.Key.Length);
            }
        });
        Assert.Equal(second, exception.Page);
    }

    private static async Task CreateAsync(string path, Func<KeyValueStore, Task> finish)
    {
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        for (int i = 0; i < Keys; i++)
        {
            await store.PutAsync(TestData.Key(i), TestData.Value(i, 40));
        }

        await finish(store);
    }

    /// <summary>Has the slots of the first leaf's last two cells, which have one size, lead to the same one.</summary>
    private static long OverlapCellsOfFirstLeaf(byte[] file)
    {
        long number = FindLeaf(file, page => page.Previous == 0);
        Span<byte> bytes = PageOf(file, number);
        Span<byte> lastSlot = bytes.Slice(PageHeader.Size + (TreeCell.SlotSize * (new TreePage(bytes).Count - 1)), TreeCell.SlotSize);
        bytes.Slice(PageHeader.Size + (TreeCell.SlotSize * (new TreePage(bytes).Count - 2)), TreeCell.SlotSize).CopyTo(lastSlot);
        PageChecksum.Write(bytes, number);
        return number;
    }

    /// <summary>Has the reference to the last key's value say that the value begins on another page.</summary>
    private static void ForgeFirstPageOfLastValue(byte[] file, long firstPage)
    {
        long number = FindLeaf(file, page => page.Next == 0);
        Span<byte> bytes = PageOf(file, number);
        TreePage page = new(bytes);
        int index = page.Count - 1;
        Assert.True(page.TryGetCell(index, out TreeCell cell) && cell.IsOverflow);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[(page.OffsetOf(index) + TreeCell.HeaderSize + cell.Key.Length)..], firstPage);
        PageChecksum.Write(bytes, number);
    }

    private static long FindLeaf(byte[] file, LeafCondition condition)
    {
        for (long number = 1; number < file.Length / PageSize; number++)
        {
            TreePage page = new(PageOf(file, number));
            if (page.Kind == PageKind.Leaf && condition(page))
            {
                return number;
            }
        }

        throw new InvalidOperationException("There is no such leaf.");
    }

    private static Span<byte> PageOf(byte[] file, long number) => file.AsSpan((int)number * PageSize, PageSize);

    private delegate bool LeafCondition(TreePage page);
}
