using System.Runtime.InteropServices;

namespace StorageCache.Frames;

/// <summary>
/// What is known about a frame apart from its bytes. It never names a file: owners are buffer heads, and a frame may
/// have none (a writer broke away while its write-back is in flight) or, once shared, many.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal struct FrameDescriptor
{
    /// <summary>Size of a descriptor in bytes.</summary>
    public const int SizeInBytes = 32;

    /// <summary>Index of the first owning buffer head, or zero.</summary>
    public uint Owner;

    /// <summary>Owners plus protectors plus transfers under way. The frame is free at zero.</summary>
    public int References;

    /// <summary>How many users hold the frame's bytes still.</summary>
    public int Protectors;

    /// <summary>Next frame that has no memory.</summary>
    public uint NextRetired;

    /// <summary>Where the frame is in its life; see <see cref="FrameState"/>.</summary>
    public FrameState State;
}
