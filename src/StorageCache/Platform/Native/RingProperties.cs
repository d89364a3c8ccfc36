using System.Runtime.InteropServices;

namespace StorageCache.Platform.Native;

/// <summary>What a ring is (<c>sc_ring_properties</c>). 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RingProperties
{
    /// <summary>The ring's descriptor; stays the ring's.</summary>
    public int FileDescriptor;

    /// <summary>What was granted.</summary>
    public RingFlags Flags;

    /// <summary>What the kernel can do.</summary>
    public RingFeatures Features;

    /// <summary><c>IORING_FEAT_*</c>, as the kernel gave them.</summary>
    public uint KernelFeatures;

    /// <summary>Entries of the submission queue; a power of two.</summary>
    public uint SubmissionEntries;

    /// <summary>Entries of the completion queue; a power of two.</summary>
    public uint CompletionEntries;

    /// <summary>Bytes of memory of both queues.</summary>
    public ulong MappedBytes;
}
