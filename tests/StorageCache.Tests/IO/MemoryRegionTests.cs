using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.IO;

public unsafe class MemoryRegionTests
{
    private const long Huge = MemoryRegion.BaseAlignment;

    [Theory]
    [InlineData(1)]
    [InlineData(Huge)]
    [InlineData((5 * Huge) + 1)]
    public void A_region_is_aligned_and_at_least_as_large_as_asked(long bytes)
    {
        MemoryRegion region = MemoryRegion.Reserve(bytes, hugePages: true);
        Assert.Equal(0, (nint)region.Base % Huge);
        Assert.Equal(0, region.Size % Huge);
        Assert.InRange(region.Size, bytes, bytes + Huge - 1);
    }

    [Fact]
    public void Reserving_a_terabyte_takes_no_memory()
    {
        MemoryRegion region = MemoryRegion.Reserve(1L << 40, hugePages: false);
        region.Commit(region.Size - 4096, 4096);
        region.Base[region.Size - 1] = 7;
        Assert.Equal(7, region.Base[region.Size - 1]);
        GC.KeepAlive(region);
    }

    [Fact]
    public void Discarded_memory_reads_as_zeros_and_can_be_written_again()
    {
        MemoryRegion region = MemoryRegion.Reserve(2 * Huge, hugePages: false);
        region.Commit(0, region.Size);
        Span<byte> bytes = new(region.Base, (int)region.Size);
        bytes.Fill(0xff);
        region.Discard(8192, 65536);
        Assert.Equal(-1, bytes.Slice(8192, 65536).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, bytes[..8192].IndexOfAnyExcept((byte)0xff));
        Assert.Equal(-1, bytes[(8192 + 65536)..].IndexOfAnyExcept((byte)0xff));
        bytes[10_000] = 5;
        Assert.Equal(5, bytes[10_000]);

        region.DiscardAll();
        Assert.Equal(-1, bytes.IndexOfAnyExcept((byte)0));
        GC.KeepAlive(region);
    }

    [Theory]
    [InlineData(100, 50)]
    [InlineData(100, 10_000)]
    [InlineData(4096, 100)]
    public void Discarding_parts_of_the_kernels_pages_leaves_the_neighbours_alone(int offset, int length)
    {
        MemoryRegion region = MemoryRegion.Reserve(Huge, hugePages: false);
        region.Commit(0, region.Size);
        Span<byte> bytes = new(region.Base, (int)region.Size);
        bytes.Fill(0xff);
        region.Discard(offset, length);
        Assert.Equal(-1, bytes.Slice(offset, length).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, bytes[..offset].IndexOfAnyExcept((byte)0xff));
        Assert.Equal(-1, bytes[(offset + length)..].IndexOfAnyExcept((byte)0xff));
        GC.KeepAlive(region);
    }

    [Fact]
    public void A_range_outside_the_region_is_refused()
    {
        MemoryRegion region = MemoryRegion.Reserve(Huge, hugePages: false);
        Assert.Throws<ArgumentOutOfRangeException>(() => region.Commit(0, region.Size + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => region.Commit(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => region.Discard(region.Size, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => region.Discard(4096, long.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => MemoryRegion.Reserve(0, hugePages: false));
    }

    [Fact]
    public void A_reservation_that_cannot_be_had_says_how_much_was_asked()
    {
        InsufficientMemoryException error = Assert.Throws<InsufficientMemoryException>(() => MemoryRegion.Reserve(1L << 60, hugePages: false));
        Assert.Contains("1,152,921,504,606,846,976 bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Advice_about_huge_pages_may_change_at_any_time()
    {
        MemoryRegion region = MemoryRegion.Reserve(Huge, hugePages: true);
        region.Commit(0, Huge);
        region.AdviseHuge(false);
        region.Base[0] = 1;
        region.AdviseHuge(true);
        Assert.Equal(1, region.Base[0]);
    }
}
