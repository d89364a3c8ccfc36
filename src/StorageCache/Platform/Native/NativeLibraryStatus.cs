namespace StorageCache.Platform.Native;

/// <summary>What became of the native library in this process.</summary>
internal sealed class NativeLibraryStatus
{
    private NativeLibraryStatus(string? path, NativeCapabilities capabilities, string? reason)
    {
        Path = path;
        Capabilities = capabilities;
        Reason = reason;
    }

    /// <summary>Whether <see cref="NativeMethods"/> may be called.</summary>
    public bool IsAvailable => Path is not null;

    /// <summary>The file that was loaded, or null.</summary>
    public string? Path { get; }

    /// <summary>What it can do here; <see cref="NativeCapabilities.None"/> if it is not available.</summary>
    public NativeCapabilities Capabilities { get; }

    /// <summary>Why it is not available, as a sentence; null if it is.</summary>
    public string? Reason { get; }

    public static NativeLibraryStatus Available(string path, NativeCapabilities capabilities) => new(path, capabilities, null);

    public static NativeLibraryStatus Unavailable(string reason) => new(null, NativeCapabilities.None, reason);

    /// <summary>Whether the library is there and can do all of <paramref name="capabilities"/> here.</summary>
    public bool Has(NativeCapabilities capabilities) => IsAvailable && (Capabilities & capabilities) == capabilities;

    public override string ToString() => IsAvailable ? $"{Path}: {Capabilities}" : Reason!;
}
