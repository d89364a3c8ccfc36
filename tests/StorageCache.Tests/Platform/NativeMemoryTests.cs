using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using Xunit;

namespace StorageCache.Tests.Platform;

public sealed unsafe class NativeMemoryTests
{
    private const ulong Mebibyte = 1 << 20;

    [Fact]
    public void Memory_is_reserved_committed_decommitted_and_released()
    {
        NativeFact.Needs();
        void* address;
        Assert.Equal(0, NativeMethods.MemoryReserve(8 * Mebibyte, 2 * Mebibyte, &address));
        Assert.Equal(0ul, (ulong)address % (2 * Mebibyte));
        Assert.Equal(0, NativeMethods.MemoryCommit(address, Mebibyte));
        bool hugePages = NativeLibraryLoader.Current.Has(NativeCapabilities.HugePages);
        Assert.Equal(hugePages ? 0 : -95, NativeMethods.MemoryAdviseHuge(address, 2 * Mebibyte, 1));

        Span<byte> bytes = new(address, (int)Mebibyte);
        Assert.Equal(-1, bytes.IndexOfAnyExcept((byte)0));
        bytes.Fill(7);
        Assert.Equal(0, NativeMethods.MemoryDecommit(address, Mebibyte));
        Assert.Equal(-1, bytes.IndexOfAnyExcept((byte)0));
        Assert.Equal(0, NativeMethods.MemoryRelease(address, 8 * Mebibyte));
        Assert.Equal(-Errno.EINVAL, NativeMethods.MemoryReserve(1, 0, &address));
    }

    [Fact]
    public void Shared_memory_has_two_views()
    {
        NativeFact.Needs(NativeCapabilities.SharedMemory);
        using SafeFileHandle memory = new(NativeMethods.SharedCreate(Mebibyte), ownsHandle: true);
        void* writable;
        void* readable;
        Assert.Equal(0, NativeMethods.SharedMap(memory, 0, Mebibyte, 0, ViewFlags.Writable, &writable));
        Assert.Equal(0, NativeMethods.SharedMap(memory, 0, Mebibyte, 0, ViewFlags.None, &readable));
        new Span<byte>(writable, (int)Mebibyte).Fill(7);
        ReadOnlySpan<byte> seen = new(readable, (int)Mebibyte);
        Assert.Equal(-1, seen.IndexOfAnyExcept((byte)7));
        Assert.Equal(0, NativeMethods.SharedDecommit(memory, 0, Mebibyte / 2));
        Assert.Equal((int)Mebibyte / 2, seen.IndexOf((byte)7));
        Assert.Equal(0, NativeMethods.MemoryRelease(writable, Mebibyte));
        Assert.Equal(0, NativeMethods.MemoryRelease(readable, Mebibyte));
    }
}
