using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Platform;

public sealed unsafe class NativeFileTests
{
    private const int Page = NativeScratch.Page;
    private const int EOPNOTSUPP = 95;

    [Fact]
    public void Transfers_are_vectored_and_take_flags()
    {
        NativeFact.Needs();
        using NativeScratch scratch = new();
        SafeFileHandle file = scratch.Open("file", [], direct: true);
        byte* memory = scratch.Allocate(4 * Page);
        byte[] expected = BlockDeviceTests.Pattern(2 * Page, 1);
        expected.CopyTo(new Span<byte>(memory, 2 * Page));
        IoVector* vectors = stackalloc IoVector[2];
        vectors[0] = new() { Base = memory, Length = Page };
        vectors[1] = new() { Base = memory + Page, Length = Page };
        Assert.Equal(2 * Page, NativeMethods.WriteAt(file, vectors, 2, Page, TransferFlags.DataSync));
        Assert.Equal(0, NativeMethods.FdataSync(file));
        Assert.Equal(0, NativeMethods.Fsync(file));

        vectors[0] = new() { Base = memory + (3 * Page), Length = Page };
        vectors[1] = new() { Base = memory + (2 * Page), Length = Page };
        Assert.Equal(2 * Page, NativeMethods.ReadAt(file, vectors, 2, Page, TransferFlags.None));
        Assert.Equal(expected[..Page], new ReadOnlySpan<byte>(memory + (3 * Page), Page).ToArray());
        Assert.Equal(expected[Page..], new ReadOnlySpan<byte>(memory + (2 * Page), Page).ToArray());
        Assert.Equal(0, NativeMethods.ReadAt(file, vectors, 1, 3 * Page, TransferFlags.None));
        Assert.Equal(-Errno.EINVAL, NativeMethods.ReadAt(file, vectors, 1, 1, TransferFlags.None));
    }

    [Fact]
    public void The_alignment_of_direct_transfers_is_the_one_that_statx_tells()
    {
        NativeFact.Needs();
        using NativeScratch scratch = new();
        SafeFileHandle file = scratch.Open("file", new byte[Page]);
        uint memory;
        uint offset;
        int result = NativeMethods.DirectAlignment(file, &memory, &offset);
        FileStatus status;
        byte empty = 0;
        Assert.Equal(0, LibC.statx(file, &empty, LibC.AT_EMPTY_PATH, LibC.STATX_DIOALIGN, &status));
        if ((status.Mask & LibC.STATX_DIOALIGN) == 0)
        {
            Assert.Equal(-EOPNOTSUPP, result);
        }
        else
        {
            Assert.Equal(0, result);
            Assert.Equal(status.DirectMemoryAlignment, memory);
            Assert.Equal(status.DirectOffsetAlignment, offset);
        }
    }

    [Theory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void A_clone_has_the_extents_of_its_origin_until_it_is_written(string type)
    {
        NativeFact.Needs(NativeCapabilities.Extents | NativeCapabilities.Clone);
        using MountedFileSystem mounted = MountedFileSystem.Loop(type, 320L << 20);
        using NativeScratch scratch = new(mounted.Path);
        const int Bytes = 64 * Page;
        SafeFileHandle origin = scratch.Open("origin", BlockDeviceTests.Pattern(Bytes, 1));
        SafeFileHandle clone = scratch.Open("clone", []);
        SafeFileHandle part = scratch.Open("part", []);
        Assert.Equal(0, NativeMethods.Clone(origin, clone));
        Assert.Equal(0, NativeMethods.CloneRange(origin, 16 * Page, 8 * Page, part, 8 * Page));

        FileExtent of = At(origin, 16 * Page);
        Assert.True(of.Flags.HasFlag(ExtentFlags.Shared));
        Assert.Equal(Place(of, 16 * Page), Place(At(clone, 16 * Page), 16 * Page));
        Assert.Equal(Place(of, 16 * Page), Place(At(part, 8 * Page), 8 * Page));

        byte* memory = scratch.Allocate(Page);
        IoVector vector = new() { Base = memory, Length = Page };
        Assert.Equal(Page, NativeMethods.WriteAt(clone, &vector, 1, 16 * Page, TransferFlags.None));
        FileExtent written = At(clone, 16 * Page);
        Assert.NotEqual(Place(of, 16 * Page), Place(written, 16 * Page));
        Assert.False(written.Flags.HasFlag(ExtentFlags.Shared));
    }

    [Fact]
    public void A_file_system_without_extents_and_clones_says_so()
    {
        NativeFact.Needs();
        using MountedFileSystem mounted = MountedFileSystem.Tmpfs(1 << 20);
        using NativeScratch scratch = new(mounted.Path);
        SafeFileHandle file = scratch.Open("file", new byte[Page]);
        SafeFileHandle other = scratch.Open("other", []);
        FileExtent extent;
        Assert.Equal(-EOPNOTSUPP, NativeMethods.Extents(file, 0, ulong.MaxValue, ExtentQueryFlags.None, &extent, 1));
        Assert.Equal(-EOPNOTSUPP, NativeMethods.Clone(file, other));
        Assert.Equal(-EOPNOTSUPP, NativeMethods.CloneRange(file, 0, 0, other, 0));
    }

    /// <summary>The extent that holds a place of a file.</summary>
    private static FileExtent At(SafeFileHandle file, ulong offset)
    {
        FileExtent extent;
        Assert.Equal(1, NativeMethods.Extents(file, offset, 1, ExtentQueryFlags.Sync, &extent, 1));
        Assert.InRange(offset, extent.Logical, extent.Logical + extent.Length - 1);
        Assert.Equal(ExtentFlags.None, extent.Flags & (ExtentFlags.Unknown | ExtentFlags.Delayed | ExtentFlags.Other));
        return extent;
    }

    private static ulong Place(FileExtent extent, ulong offset) => extent.Physical + (offset - extent.Logical);
}
