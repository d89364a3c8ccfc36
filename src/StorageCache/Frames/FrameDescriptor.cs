using System.Runtime.InteropServices;

namespace StorageCache.Frames;

/// <summary>
/// What is known about a frame apart from its bytes. It never names a file: owners are buffer heads, and a frame may
/// have none (a writer broke away while its write-back is in flight) or many, of one mapping or of several.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal struct FrameDescriptor
{
    /// <summary>Size of a descriptor in bytes.</summary>
    public const int SizeInBytes = 32;

    /// <summary>How long each protection holds the frame's bytes still: four counts of 16 bits, one for each reason that holds.</summary>
    public ulong Holds;

    /// <summary>Index of one of the owning buffer heads, which are linked in a ring, or zero.</summary>
    public uint Owner;

    /// <summary>How many owners.</summary>
    public int OwnerCount;

    /// <summary>Owners, holds and transfers under way. The frame is free at zero.</summary>
    public int References;

    /// <summary>The lock over the owners, and the indexes that the frame can be found by; see <see cref="FrameMarks"/>.</summary>
    public uint Marks;

    /// <summary>Next frame that has no memory.</summary>
    public uint NextRetired;

    /// <summary>Where the frame is in its life; see <see cref="FrameState"/>.</summary>
    public FrameState State;
}
