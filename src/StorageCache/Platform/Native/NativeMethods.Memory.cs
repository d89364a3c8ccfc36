using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.Platform.Native;

internal static unsafe partial class NativeMethods
{
    /// <summary>Reserves address space; touching it faults until it is committed.</summary>
    [LibraryImport(Library, EntryPoint = "sc_memory_reserve")]
    public static partial int MemoryReserve(ulong bytes, ulong alignment, void** address);

    /// <summary>Makes a reserved range readable and writable; zeros at first.</summary>
    [LibraryImport(Library, EntryPoint = "sc_memory_commit")]
    public static partial int MemoryCommit(void* address, ulong bytes);

    /// <summary>Gives the memory of a committed range back; the range can still be read, as zeros.</summary>
    [LibraryImport(Library, EntryPoint = "sc_memory_decommit")]
    public static partial int MemoryDecommit(void* address, ulong bytes);

    /// <summary>Gives address space back, and its memory.</summary>
    [LibraryImport(Library, EntryPoint = "sc_memory_release")]
    public static partial int MemoryRelease(void* address, ulong bytes);

    /// <summary>Asks for huge pages in a range, or (<paramref name="enabled"/> 0) for none.</summary>
    [LibraryImport(Library, EntryPoint = "sc_memory_advise_huge")]
    public static partial int MemoryAdviseHuge(void* address, ulong bytes, uint enabled);

    /// <summary>Creates memory that can be mapped several times, and returns its descriptor.</summary>
    [LibraryImport(Library, EntryPoint = "sc_shared_create")]
    public static partial int SharedCreate(ulong bytes);

    /// <summary>Maps a view of shared memory; it ends with <see cref="MemoryRelease"/>.</summary>
    [LibraryImport(Library, EntryPoint = "sc_shared_map")]
    public static partial int SharedMap(
        SafeFileHandle file, ulong offset, ulong bytes, ulong alignment, ViewFlags flags, void** address);

    /// <summary>Gives the memory of a range of shared memory back; all views read zeros there.</summary>
    [LibraryImport(Library, EntryPoint = "sc_shared_decommit")]
    public static partial int SharedDecommit(SafeFileHandle file, ulong offset, ulong bytes);
}
