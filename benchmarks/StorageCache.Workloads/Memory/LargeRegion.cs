using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Memory;

/// <summary>
/// Native memory outside the garbage collector, aligned to 2 MiB and, on Linux, in huge pages where they can be had:
/// what the cache's own frames are, so that no baseline is handicapped by its memory.
/// </summary>
internal sealed unsafe partial class LargeRegion : IDisposable
{
    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePage = 14;

    private byte* _address;

    /// <summary>Allocates zeroed memory.</summary>
    /// <param name="bytes">How many bytes; rounded up to 2 MiB.</param>
    public LargeRegion(long bytes)
    {
        nuint size = ((nuint)bytes + HugePage - 1) / HugePage * HugePage;
        _address = (byte*)NativeMemory.AlignedAlloc(size, HugePage);
        if (OperatingSystem.IsLinux())
        {
            // Before the first touch, so that the pages are huge from the start. A kernel without them still serves.
            _ = Advise(_address, size, AdviseHugePage);
        }

        NativeMemory.Clear(_address, size);
    }

    /// <summary>The first byte.</summary>
    public byte* Address => _address;

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_address);
        _address = null;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
