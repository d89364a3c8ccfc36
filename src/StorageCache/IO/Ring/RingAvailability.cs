using StorageCache.Platform.Native;

namespace StorageCache.IO.Ring;

/// <summary>Whether this process may have a ring, as far as can be known without making one.</summary>
/// <remarks>
/// The AppContext switch <see cref="DisableSwitch"/> or the environment variable <see cref="DisableVariable"/> forbids rings and leaves the
/// rest of the native library in use. Both are read once.
/// </remarks>
internal static class RingAvailability
{
    /// <summary>An AppContext switch; true forbids rings.</summary>
    public const string DisableSwitch = "StorageCache.DisableIoUring";

    /// <summary>An environment variable; <c>1</c> or <c>true</c> forbids rings.</summary>
    public const string DisableVariable = "STORAGECACHE_DISABLE_IO_URING";

    private static readonly Lazy<string?> s_reason = new(FindReason);

    /// <summary>Why there is none, as a sentence; null if there is.</summary>
    public static string? Reason => s_reason.Value;

    private static string? FindReason()
    {
        if (AppContext.TryGetSwitch(DisableSwitch, out bool isOn) && isOn)
        {
            return $"io_uring is switched off: AppContext switch {DisableSwitch}.";
        }

        string? variable = Environment.GetEnvironmentVariable(DisableVariable);
        if (variable is "1" || string.Equals(variable, "true", StringComparison.OrdinalIgnoreCase))
        {
            return $"io_uring is switched off: environment variable {DisableVariable}.";
        }

        return NativeLibraryLoader.Current is { IsAvailable: false } missing
            ? missing.Reason
            : NativeLibraryLoader.Current.Has(NativeCapabilities.Ring)
                ? null
                : "The kernel gives this process no ring: it is older than 5.11, built without io_uring, or a seccomp filter, the sysctl kernel.io_uring_disabled or RLIMIT_MEMLOCK is in the way.";
    }
}
