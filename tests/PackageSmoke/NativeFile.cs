using System.Runtime.InteropServices;

namespace StorageCache.PackageSmoke;

/// <summary>The native library as the package brought it.</summary>
internal static unsafe class NativeFile
{
    private const string Name = "libstoragecache_native.so";

    /// <summary>Says where the library is and what it can do here.</summary>
    /// <returns>Whether it is there and can be loaded.</returns>
    public static bool Check(TextWriter output)
    {
        string architecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        string[] places =
        [
            Path.Combine(AppContext.BaseDirectory, Name),
            Path.Combine(AppContext.BaseDirectory, "runtimes", $"linux-{architecture}", "native", Name),
        ];
        string? found = Array.Find(places, File.Exists);
        if (found is null)
        {
            output.WriteLine($"{Name} is in none of: {string.Join(", ", places)}");
            return false;
        }

        nint handle = NativeLibrary.Load(found);
        int version = ((delegate* unmanaged<int>)NativeLibrary.GetExport(handle, "sc_abi_version"))();
        long capabilities = ((delegate* unmanaged<long>)NativeLibrary.GetExport(handle, "sc_capabilities"))();
        output.WriteLine($"{Path.GetRelativePath(AppContext.BaseDirectory, found)}: version {version}, capabilities 0x{capabilities:x}");
        return true;
    }
}
