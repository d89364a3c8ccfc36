using System.Runtime.InteropServices;

namespace StorageCache.Diagnostics;

/// <summary>The counts of one granule of stack, on a cache line of their own; see <see cref="HitCells"/>.</summary>
[StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
internal struct HitCell
{
    /// <summary>Size in bytes: a cache line.</summary>
    public const int SizeInBytes = 64;

    /// <summary>The granule that the cell belongs to, for good; 0 for none yet.</summary>
    public nuint Owner;

    /// <summary>Look-ups that found their page in memory.</summary>
    public long Hits;

    /// <summary>Pins taken less pins returned; negative where more were returned than taken.</summary>
    public long Pins;
}
