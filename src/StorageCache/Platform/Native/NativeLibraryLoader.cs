using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace StorageCache.Platform.Native;

/// <summary>Finds the native library and loads it, once per process. Never throws: what goes wrong is a reason in the status.</summary>
/// <remarks>
/// <para>
/// Looked for under its full path only, so that nothing in the system's library path can stand in for it: beside this assembly, in the
/// application's folder, in <c>runtimes/RID/native</c> of both, and where the host says that the application's native libraries are.
/// </para>
/// <para>
/// The AppContext switch <see cref="DisableSwitch"/> or the environment variable <see cref="DisableVariable"/> forbids loading it. Both are
/// read once, when <see cref="Current"/> is first asked for.
/// </para>
/// </remarks>
internal static unsafe class NativeLibraryLoader
{
    /// <summary>The name that <see cref="NativeMethods"/> imports from.</summary>
    public const string LibraryName = "storagecache_native";

    /// <summary>The library's file.</summary>
    public const string FileName = "libstoragecache_native.so";

    /// <summary>The version of the interface that <see cref="NativeMethods"/> declares (<c>SC_ABI_VERSION</c>).</summary>
    public const int AbiVersion = 1;

    /// <summary>An AppContext switch; true forbids loading the library.</summary>
    public const string DisableSwitch = "StorageCache.DisableNativeLibrary";

    /// <summary>An environment variable; <c>1</c> or <c>true</c> forbids loading the library.</summary>
    public const string DisableVariable = "STORAGECACHE_DISABLE_NATIVE";

    /// <summary>Forbids loading the library.</summary>
    public static readonly OffSwitch Off = new("The native library", DisableSwitch, DisableVariable);

    private static readonly Lazy<NativeLibraryStatus> s_current = new(LoadForProcess);

    /// <summary>What became of the library in this process; loads it when asked for the first time.</summary>
    public static NativeLibraryStatus Current => s_current.Value;

    /// <summary>Loads the first of some files that is there and has the right version.</summary>
    /// <param name="candidates">Full paths, in order of preference.</param>
    /// <param name="handle">The library, if the status says that it is available.</param>
    public static NativeLibraryStatus TryLoad(IReadOnlyList<string> candidates, out nint handle)
    {
        // A file that is there and cannot be used says more than those that are not there.
        string? reason = null;
        foreach (string path in candidates)
        {
            if (File.Exists(path))
            {
                string? failure = TryLoad(path, out handle);
                if (failure is null)
                {
                    var capabilities = (delegate* unmanaged<long>)NativeLibrary.GetExport(handle, "sc_capabilities");
                    return NativeLibraryStatus.Available(path, (NativeCapabilities)capabilities());
                }

                reason ??= failure;
            }
        }

        handle = 0;
        return NativeLibraryStatus.Unavailable(
            reason ?? $"The native library {FileName} is in none of these folders: {string.Join(", ", candidates.Select(Path.GetDirectoryName))}.");
    }

    private static NativeLibraryStatus LoadForProcess()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64))
        {
            return NativeLibraryStatus.Unavailable("The native library is for Linux on x64 and arm64.");
        }

        if (Off.FindReason() is { } ban)
        {
            return NativeLibraryStatus.Unavailable(ban);
        }

        NativeLibraryStatus status = TryLoad(GetCandidates(), out nint handle);
        if (status.IsAvailable)
        {
            try
            {
                NativeLibrary.SetDllImportResolver(
                    typeof(NativeLibraryLoader).Assembly, (name, _, _) => name == LibraryName ? handle : 0);
            }
            catch (InvalidOperationException)
            {
                // Somebody else decides what this assembly's imports mean, and it may not be this file.
                return NativeLibraryStatus.Unavailable("The host resolves the native imports of StorageCache by itself.");
            }
        }

        return status;
    }

    private static string? TryLoad(string path, out nint handle)
    {
        try
        {
            handle = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            handle = 0;
            return $"The native library {path} cannot be loaded: {e.Message.ReplaceLineEndings(" ").Trim()}";
        }

        string? failure = null;
        if (!NativeLibrary.TryGetExport(handle, "sc_abi_version", out nint export) || !NativeLibrary.TryGetExport(handle, "sc_capabilities", out _))
        {
            failure = $"{path} is not StorageCache's native library.";
        }
        else
        {
            int version = ((delegate* unmanaged<int>)export)();
            if (version != AbiVersion)
            {
                failure = $"The native library {path} has version {version} of the interface, and {AbiVersion} is needed.";
            }
        }

        if (failure is not null)
        {
            NativeLibrary.Free(handle);
            handle = 0;
        }

        return failure;
    }

    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "An assembly without a file of its own has an empty location, which is left out.")]
    private static List<string> GetCandidates()
    {
        List<string> folders = [];
        string? beside = Path.GetDirectoryName(typeof(NativeLibraryLoader).Assembly.Location);
        if (!string.IsNullOrEmpty(beside))
        {
            AddFolders(folders, beside);
        }

        AddFolders(folders, AppContext.BaseDirectory);
        if (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") is string directories)
        {
            folders.AddRange(directories.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        }

        return [.. folders.Select(folder => Path.GetFullPath(Path.Combine(folder, FileName))).Distinct()];
    }

    private static void AddFolders(List<string> folders, string root)
    {
        folders.Add(root);

        // The runtime's own identifier may name a distribution; packages name the portable one.
        string architecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64";
        folders.Add(Path.Combine(root, "runtimes", RuntimeInformation.RuntimeIdentifier, "native"));
        folders.Add(Path.Combine(root, "runtimes", $"linux-{architecture}", "native"));
    }
}
