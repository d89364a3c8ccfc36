namespace StorageCache.IO;

/// <summary>A device whose bytes lie in a space that other devices' bytes lie in too, and may share places with them.</summary>
/// <remarks>
/// Thread safety: all members may be called from any thread at any time before disposal. As with <see cref="IBlockDevice.SetLengthAsync"/>,
/// what awaits them outside a context goes on on a thread of the I/O engine, and is not to block it.
/// </remarks>
internal interface IExtentDevice : IBlockDevice
{
    /// <summary>
    /// The space that the file's extents lie in, the same for as long as the device is open; null if the file system does not share blocks,
    /// or does not tell. Does not block.
    /// </summary>
    ExtentSpace? ExtentSpace { get; }

    /// <summary>Finds out where the bytes of a range lie, after everything that was written before was given its place (I/O-24).</summary>
    /// <param name="offset">Bytes from the start of the file, 0 or more.</param>
    /// <param name="length">Bytes, 0 or more; the range may end behind the end of the file.</param>
    /// <param name="cancellationToken">Cancels before the asking has begun, and between one call of the kernel and the next.</param>
    /// <returns>
    /// In order, disjoint, and cut off where the range begins and ends; the last one may end behind the end of the file. Empty where the file
    /// system cannot tell. True of some moment of the call: whoever writes to the file, or has the file system move it, makes it untrue.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    /// <exception cref="IOException">It cannot be found out. What was to be given its place first may not have been written.</exception>
    ValueTask<Extent[]> GetExtentsAsync(long offset, long length, CancellationToken cancellationToken);

    /// <summary>Makes this file, which is empty, a clone of another: the same bytes in the same blocks, until one of the two is written.</summary>
    /// <param name="source">What to clone, with all that was written to it.</param>
    /// <param name="cancellationToken">Cancels before the cloning has begun; later it has no effect.</param>
    /// <returns>Whether that could be had. The clone is durable only after a flush.</returns>
    /// <exception cref="IOException">
    /// This file is read-only or not empty, or the cloning has failed: no room, an error of the disk. The file may hold part of it then.
    /// </exception>
    ValueTask<CloneOutcome> CloneFromAsync(FileBlockDevice source, CancellationToken cancellationToken);
}
