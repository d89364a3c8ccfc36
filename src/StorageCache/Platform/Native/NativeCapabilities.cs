namespace StorageCache.Platform.Native;

/// <summary>What the native library can do in this process now (<c>SC_CAPABILITY_*</c>).</summary>
[Flags]
internal enum NativeCapabilities : uint
{
    None = 0,

    /// <summary>A ring can be created: the kernel has io_uring (5.11), and neither a seccomp filter nor a sysctl forbids it.</summary>
    Ring = 1 << 0,

    /// <summary>Memory can be registered with a ring; how much, <c>RLIMIT_MEMLOCK</c> decides.</summary>
    FixedBuffers = 1 << 1,

    /// <summary>Descriptors can be registered with a ring.</summary>
    FixedFiles = 1 << 2,

    /// <summary>Vectored transfers may use registered memory (kernel 6.15).</summary>
    FixedVectors = 1 << 3,

    /// <summary><see cref="RingFlags.CooperativeTaskRun"/> is granted (kernel 5.19).</summary>
    CooperativeTaskRun = 1 << 4,

    /// <summary><see cref="RingFlags.SingleIssuer"/> is granted (kernel 6.0).</summary>
    SingleIssuer = 1 << 5,

    /// <summary><see cref="RingFlags.DeferTaskRun"/> is granted (kernel 6.1).</summary>
    DeferTaskRun = 1 << 6,

    /// <summary>A wait in a ring takes a time-out. Comes with <see cref="Ring"/>.</summary>
    Timeouts = 1 << 7,

    /// <summary>Extents of files can be asked for. Whether a file system answers, only a file of it says.</summary>
    Extents = 1 << 8,

    /// <summary>Files can be cloned. Whether a file system can, only a file of it says.</summary>
    Clone = 1 << 9,

    /// <summary>Memory with several views can be created.</summary>
    SharedMemory = 1 << 10,

    /// <summary>The kernel gives memory huge pages when it is advised to.</summary>
    HugePages = 1 << 11,
}
