using StorageCache.Platform.Native;

namespace StorageCache.IO;

/// <summary>A run of a file's bytes, and where they lie. Holes have none.</summary>
/// <param name="Logical">Bytes from the start of the file.</param>
/// <param name="Physical">Where the run begins in the file's <see cref="ExtentSpace"/>: bytes. 0 unless <paramref name="IsPlain"/>.</param>
/// <param name="Length">Bytes, 1 or more.</param>
/// <param name="IsPlain">
/// Whether the bytes at <paramref name="Physical"/> are the file's, one for one: they have been written, have a place of their own, and are
/// neither compressed, encrypted, nor stored among metadata or in part of a block; and nothing else is said of them that is not known here.
/// </param>
/// <param name="IsShared">Whether other files may have the same blocks. File systems err towards true for parts of a run.</param>
internal readonly record struct Extent(long Logical, long Physical, long Length, bool IsPlain, bool IsShared)
{
    /// <summary>What leaves an extent plain; a flag that is not listed here is a reason against it.</summary>
    private const ExtentFlags PlainFlags = ExtentFlags.Last | ExtentFlags.Shared | ExtentFlags.Merged;

    /// <summary>Just behind the run: bytes from the start of the file.</summary>
    public long End => Logical + Length;

    /// <summary>The part of what the kernel says that lies in a range.</summary>
    /// <param name="extent">What the kernel says.</param>
    /// <param name="start">Bytes from the start of the file, 0 or more.</param>
    /// <param name="end">Likewise, just behind the range.</param>
    /// <param name="clipped">The part.</param>
    /// <returns>Whether there is one.</returns>
    public static bool TryClip(in FileExtent extent, long start, long end, out Extent clipped)
    {
        ulong from = Math.Max(extent.Logical, (ulong)start);
        ulong to = Math.Min(EndOf(extent), (ulong)end);
        if (from >= to)
        {
            clipped = default;
            return false;
        }

        ulong physical = unchecked(extent.Physical + (from - extent.Logical));
        bool isPlain = (extent.Flags & ~PlainFlags) == 0 && physical >= extent.Physical && physical <= long.MaxValue;
        clipped = new Extent(
            (long)from, isPlain ? (long)physical : 0, (long)(to - from), isPlain, (extent.Flags & ExtentFlags.Shared) != 0);
        return true;
    }

    /// <summary>Just behind an extent; a length beyond all bounds ends where numbers do.</summary>
    public static ulong EndOf(in FileExtent extent) =>
        extent.Length > ulong.MaxValue - extent.Logical ? ulong.MaxValue : extent.Logical + extent.Length;
}
