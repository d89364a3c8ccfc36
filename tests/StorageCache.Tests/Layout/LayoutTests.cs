using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Mappings;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Layout;

/// <remarks>B-9.</remarks>
public class LayoutTests
{
    [Fact]
    public unsafe void Native_structures_have_the_sizes_that_the_budget_counts()
    {
        Assert.Equal(16, sizeof(Slot));
        Assert.True(sizeof(BufferHead) <= 64);
        Assert.Equal(BufferHead.SizeInBytes, sizeof(BufferHead));
        Assert.Equal(FrameDescriptor.SizeInBytes, sizeof(FrameDescriptor));
        Assert.Equal(LeafHeader.SizeInBytes, sizeof(LeafHeader));
        Assert.Equal(NodeHeader.SizeInBytes, sizeof(NodeHeader));
        Assert.Equal(8192, PageTable.LeafSlotBytes);
    }

    [Fact]
    public unsafe void The_fields_of_a_buffer_head_fill_it_without_overlap()
    {
        BufferHead head;
        long end = (byte*)(&head.PinsWait) + sizeof(ushort) - (byte*)&head;
        Assert.InRange(end, 0, BufferHead.SizeInBytes);
        Assert.Equal(sizeof(uint), (byte*)(&head.Pins) - (byte*)(&head.Waiters));
    }

    [Fact]
    public async Task A_fully_cached_file_costs_at_most_120_bytes_of_metadata_per_page()
    {
        const int Pages = 16_000;
        await using TestCache test = await TestCache.OpenAsync(pages: Pages, memory: 72 << 20, device: null);
        test.Device.Records = false;
        long brought = test.Mapping.Prefetch(0, Pages);
        brought += test.Mapping.Prefetch(0, Pages);
        Assert.Equal(Pages, brought);
        PageCacheStatistics statistics = test.Cache.GetStatistics();
        double perPage = (double)statistics.MetadataBytes / statistics.ResidentPages;
        TestContext.Current.TestOutputHelper!.WriteLine($"{statistics.MetadataBytes} bytes of metadata for {statistics.ResidentPages} pages: {perPage:F1} bytes per page");
        Assert.InRange(perPage, 16 + 64 + 32, 120);
        Assert.True(statistics.MemoryUsed <= statistics.MemoryLimit);
    }
}
