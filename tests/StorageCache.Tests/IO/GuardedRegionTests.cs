using System.Runtime.InteropServices;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>Regions with two views of the same memory (F-8), which is asked for ahead (F-9).</summary>
public sealed unsafe partial class GuardedRegionTests
{
    private const long Huge = MemoryRegion.BaseAlignment;

    [Theory]
    [InlineData(1)]
    [InlineData(Huge)]
    [InlineData((5 * Huge) + 1)]
    public void Both_views_are_aligned_and_at_least_as_large_as_asked(long bytes)
    {
        MemoryRegion region = MemoryRegion.ReserveGuarded(bytes, hugePages: true);
        Assert.True(region.IsGuarded);
        Assert.Equal(0, (nint)region.Base % Huge);
        Assert.Equal(0, (nint)region.ReadBase % Huge);
        Assert.InRange(Math.Abs(region.Base - region.ReadBase), region.Size, long.MaxValue);
        Assert.InRange(region.Size, bytes, bytes + Huge - 1);
    }

    [Fact]
    public void A_region_that_is_not_guarded_is_read_where_it_is_written()
    {
        MemoryRegion region = MemoryRegion.Reserve(Huge, hugePages: false);
        Assert.False(region.IsGuarded);
        Assert.True(region.ReadBase == region.Base);
        region.Provide(0, region.Size);
    }

    [Fact]
    public void What_is_written_in_one_view_is_read_in_the_other_F_8()
    {
        MemoryRegion region = MemoryRegion.ReserveGuarded(2 * Huge, hugePages: false);
        for (long start = 0; start < region.Size; start += Huge)
        {
            region.Commit(start, Huge);
            for (long i = start; i < start + Huge; i += 4096)
            {
                Assert.Equal(0, region.ReadBase[i]);
                region.Base[i] = (byte)(1 + (i / 4096 % 255));
                Assert.Equal(region.Base[i], region.ReadBase[i]);
            }
        }

        GC.KeepAlive(region);
    }

    [Fact]
    public void What_is_provided_is_zeros_or_what_it_was_F_9()
    {
        MemoryRegion region = MemoryRegion.ReserveGuarded(Huge, hugePages: false);
        region.Commit(0, Huge);
        region.Base[4096] = 9;
        region.Provide(100, 8192);
        region.Provide(Huge - 1, 1);
        Assert.Equal([0, 9, 0, 0], new[] { region.ReadBase[0], region.ReadBase[4096], region.ReadBase[8192], region.ReadBase[Huge - 1] });
        Assert.Throws<ArgumentOutOfRangeException>(() => region.Provide(Huge, 1));
        GC.KeepAlive(region);
    }

    [Fact]
    public void Reserving_a_terabyte_takes_no_memory()
    {
        MemoryRegion region = MemoryRegion.ReserveGuarded(1L << 40, hugePages: false);
        region.Commit(0, 4096);
        region.Base[0] = 7;
        Assert.Equal(7, region.ReadBase[0]);
        GC.KeepAlive(region);
    }

    [Theory]
    [InlineData(8192, 65536)]
    [InlineData(100, 50)]
    [InlineData(100, 10_000)]
    [InlineData(4096, 100)]
    public void Discarded_memory_reads_as_zeros_in_both_views_and_its_neighbours_are_left_alone_F_8(int offset, int length)
    {
        MemoryRegion region = MemoryRegion.ReserveGuarded(2 * Huge, hugePages: false);
        region.Commit(0, Huge);
        Span<byte> written = new(region.Base, (int)Huge);
        ReadOnlySpan<byte> read = new(region.ReadBase, (int)Huge);
        written.Fill(0xff);
        region.Discard(offset, length);
        Assert.Equal(-1, read.Slice(offset, length).IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, read[..offset].IndexOfAnyExcept((byte)0xff));
        Assert.Equal(-1, read[(offset + length)..].IndexOfAnyExcept((byte)0xff));
        Assert.True(read.SequenceEqual(written));
        written[offset] = 5;
        Assert.Equal(5, read[offset]);

        region.DiscardAll();
        Assert.Equal(-1, read.IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, written.IndexOfAnyExcept((byte)0));
        GC.KeepAlive(region);
    }

    /// <summary>The memory is gone, and not only its content: F-1.</summary>
    [Fact]
    public void Discarded_memory_is_the_kernels_again_F_1()
    {
        MemoryRegion region = MemoryRegion.ReserveGuarded(8 * Huge, hugePages: false);
        region.Commit(0, region.Size);
        new Span<byte>(region.Base, (int)region.Size).Fill(1);
        Assert.Equal(region.Size, Resident(region));
        region.Discard(0, 4 * Huge);
        Assert.Equal(4 * Huge, Resident(region));
        region.DiscardAll();
        Assert.Equal(0, Resident(region));
        GC.KeepAlive(region);
    }

    /// <summary>Bytes of the region that have memory, whether or not a view maps it at the moment.</summary>
    private static long Resident(MemoryRegion region)
    {
        byte[] pages = new byte[region.Size / Environment.SystemPageSize];
        fixed (byte* first = pages)
        {
            Assert.Equal(0, mincore((nint)region.Base, (nuint)region.Size, first));
        }

        return pages.LongCount(page => (page & 1) != 0) * Environment.SystemPageSize;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mincore(nint address, nuint length, byte* pages);
}
