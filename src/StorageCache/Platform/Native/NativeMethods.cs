using System.Runtime.InteropServices;

namespace StorageCache.Platform.Native;

/// <summary>The functions of <c>native/include/storagecache_native.h</c>, which says what they do in full.</summary>
/// <remarks>
/// <para>
/// To be called only when <see cref="NativeLibraryLoader.Current"/> says that the library is there (N-13). Each returns a value of at least
/// 0, or a negative error number; none sets <see cref="Errno.Last"/>. Nothing is marshalled but <c>SafeFileHandle</c>, which keeps a
/// descriptor from being closed, and its number from being reused, while the call runs.
/// </para>
/// <para>
/// Those with <see cref="SuppressGCTransitionAttribute"/> make no system call, wait for nothing, and are done in far less than a
/// microsecond whatever they are given: only then may a call hold up a garbage collection (N-14).
/// </para>
/// </remarks>
internal static unsafe partial class NativeMethods
{
    private const string Library = NativeLibraryLoader.LibraryName;

    /// <summary>The version of the interface that the library has.</summary>
    [LibraryImport(Library, EntryPoint = "sc_abi_version")]
    public static partial int AbiVersion();

    /// <summary>How a structure lies in memory: size, alignment, then the offset of each field. Returns how many values there are.</summary>
    [LibraryImport(Library, EntryPoint = "sc_struct_layout")]
    public static partial int StructLayout(NativeStructure structure, uint* values, uint capacity);

    /// <summary>What this process can do now (<see cref="NativeCapabilities"/>). Finds out by trying.</summary>
    [LibraryImport(Library, EntryPoint = "sc_capabilities")]
    public static partial long Capabilities();
}
