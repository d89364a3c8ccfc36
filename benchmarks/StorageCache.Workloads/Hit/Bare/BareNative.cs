using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Bare;

/// <summary>Entry points of <c>benchmarks/native</c>; see <c>bare_cache.h</c>.</summary>
internal static unsafe partial class BareNative
{
    /// <summary>The library's name without the platform's prefix and suffix.</summary>
    public const string Library = "storagecache_bare";

    [LibraryImport(Library, EntryPoint = "bare_create")]
    public static partial nint Create(ulong pageCount, void* frames);

    [LibraryImport(Library, EntryPoint = "bare_load")]
    public static partial int Load(nint cache, ulong page, uint frame);

    [LibraryImport(Library, EntryPoint = "bare_destroy")]
    public static partial void Destroy(nint cache);

    [LibraryImport(Library, EntryPoint = "bare_read_lease")]
    public static partial long ReadLease(nint cache, int* pages, long count);

    [LibraryImport(Library, EntryPoint = "bare_write_lease")]
    public static partial long WriteLease(nint cache, int* pages, long count);

    [LibraryImport(Library, EntryPoint = "bare_pin")]
    public static partial long Pin(nint cache, int* pages, long count);

    [LibraryImport(Library, EntryPoint = "bare_optimistic")]
    public static partial long Optimistic(nint cache, int* pages, long count);
}
