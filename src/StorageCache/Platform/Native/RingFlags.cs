namespace StorageCache.Platform.Native;

/// <summary>What is asked of a ring when it is created, and what was granted (<c>SC_RING_*</c>).</summary>
[Flags]
internal enum RingFlags : uint
{
    None = 0,

    /// <summary>One thread alone submits and registers: the one that created or enabled the ring.</summary>
    SingleIssuer = 1 << 0,

    /// <summary>Completions are finished only when the one thread waits or enters. Brings <see cref="SingleIssuer"/> with it.</summary>
    DeferTaskRun = 1 << 1,

    /// <summary>Completions do not interrupt the thread that submitted; they are finished when it next enters the kernel.</summary>
    CooperativeTaskRun = 1 << 2,

    /// <summary>The ring does nothing until it is enabled.</summary>
    Disabled = 1 << 3,
}
