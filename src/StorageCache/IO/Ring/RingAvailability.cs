using StorageCache.Platform;
using StorageCache.Platform.Native;

namespace StorageCache.IO.Ring;

/// <summary>Whether this process may have a ring, as far as can be known without making one.</summary>
/// <remarks>
/// The AppContext switch <see cref="DisableSwitch"/> or the environment variable <see cref="DisableVariable"/> forbids rings and leaves the
/// rest of the native library in use. Both are read once.
/// </remarks>
internal static unsafe class RingAvailability
{
    /// <summary>An AppContext switch; true forbids rings.</summary>
    public const string DisableSwitch = "StorageCache.DisableIoUring";

    /// <summary>An environment variable; <c>1</c> or <c>true</c> forbids rings.</summary>
    public const string DisableVariable = "STORAGECACHE_DISABLE_IO_URING";

    private static readonly OffSwitch s_off = new("io_uring", DisableSwitch, DisableVariable);
    private static readonly Lazy<string?> s_reason = new(FindReason);

    /// <summary>Why there is none, as a sentence; null if there is.</summary>
    public static string? Reason => s_reason.Value;

    private static string? FindReason()
    {
        if (s_off.FindReason() is { } ban)
        {
            return ban;
        }

        return NativeLibraryLoader.Current is { IsAvailable: false } missing
            ? missing.Reason
            : NativeLibraryLoader.Current.Has(NativeCapabilities.Ring)
                ? null
                : Refusal();
    }

    /// <summary>What an error number of the kernel means for who asks for a ring, as a sentence.</summary>
    public static string Describe(int errno) => errno switch
    {
        Errno.ENOSYS => $"The kernel has no io_uring, or a seccomp filter hides it: {Errno.Describe(errno)}.",
        Errno.EOPNOTSUPP => $"The kernel's io_uring is older than what is needed (5.11): {Errno.Describe(errno)}.",
        Errno.EPERM or Errno.EACCES => $"This process may not use io_uring (the sysctl kernel.io_uring_disabled, or a seccomp filter): {Errno.Describe(errno)}.",
        Errno.ENOMEM => $"The kernel gives no memory for a ring (RLIMIT_MEMLOCK): {Errno.Describe(errno)}.",
        _ => $"The kernel gives this process no ring: {Errno.Describe(errno)}.",
    };

    /// <summary>Why the library found no ring: it says only that there is none, so one is asked for again. Null if there is one by now.</summary>
    private static string? Refusal()
    {
        NativeRing* ring;
        int errno = -NativeMethods.RingCreate(1, 0, RingFlags.None, &ring);
        if (errno > 0)
        {
            return Describe(errno);
        }

        NativeMethods.RingDestroy(ring);
        return null;
    }
}
