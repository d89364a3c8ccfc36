namespace StorageCache.Platform.Native;

/// <summary>What the kernel under a ring can do (<c>SC_RING_FEATURE_*</c>).</summary>
[Flags]
internal enum RingFeatures : uint
{
    None = 0,

    /// <summary>An invalid request does not hold up those behind it in the same submission (kernel 5.18).</summary>
    SubmitAll = 1 << 0,

    /// <summary><see cref="RingRequestFlags.FixedBuffer"/> is allowed for vectored transfers (kernel 6.15).</summary>
    FixedVectors = 1 << 1,
}
