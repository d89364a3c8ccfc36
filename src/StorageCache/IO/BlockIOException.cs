using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>A failure of a device, with the operating system's error number.</summary>
/// <remarks>The message names the operation, the device, offset and length in bytes, and the cause. <see cref="Exception.HResult"/> is the error number too, as in the runtime's own I/O exceptions on Linux.</remarks>
public class BlockIOException : IOException
{
    /// <summary>Makes an exception.</summary>
    /// <param name="message">Operation, device, offset, length and cause.</param>
    /// <param name="errno">Linux error number, such as 5 for <c>EIO</c> and 28 for <c>ENOSPC</c>.</param>
    public BlockIOException(string message, int errno)
        : base(message, errno)
    {
        Errno = errno;
    }

    /// <summary>Makes an exception with a cause of another kind.</summary>
    internal BlockIOException(string message, int errno, Exception inner)
        : base(message, inner)
    {
        Errno = errno;
        HResult = errno;
    }

    /// <summary>Linux error number, such as 5 for <c>EIO</c> and 28 for <c>ENOSPC</c>.</summary>
    public int Errno { get; }

    /// <summary>A failed transfer.</summary>
    internal static BlockIOException ForTransfer(BlockOperation operation, string device, long offset, long length, int errno) =>
        ForTransfer(operation, device, offset, length, errno, Platform.Errno.Describe(errno));

    /// <summary>A failed transfer whose cause is clearer in words of our own.</summary>
    internal static BlockIOException ForTransfer(BlockOperation operation, string device, long offset, long length, int errno, string cause) =>
        operation == BlockOperation.Flush
            ? new($"Flush of '{device}' failed: {cause}.", errno)
            : new($"{operation} of {length} bytes at offset {offset} of '{device}' failed: {cause}.", errno);

    /// <summary>A failed transfer whose device threw something that is no <see cref="IOException"/>.</summary>
    internal static BlockIOException ForTransfer(BlockOperation operation, string device, long offset, long length, Exception inner, string cause) =>
        new(ForTransfer(operation, device, offset, length, Platform.Errno.EIO, cause).Message, Platform.Errno.EIO, inner);

    /// <summary>A failure of anything but a transfer.</summary>
    /// <param name="what">What could not be done, as in "Cannot ... 'device'".</param>
    /// <param name="device">Name of the device.</param>
    /// <param name="errno">Linux error number.</param>
    internal static BlockIOException For(string what, string device, int errno) =>
        new($"Cannot {what} '{device}': {Platform.Errno.Describe(errno)}.", errno);
}
