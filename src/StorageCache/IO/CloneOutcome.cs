using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>Whether a file was made a clone of another. Where it was not, it is as it was.</summary>
/// <param name="Errno">0 if it was; otherwise the Linux error number that says why it cannot be.</param>
internal readonly record struct CloneOutcome(int Errno)
{
    /// <summary>Whether the file is a clone now.</summary>
    public bool IsCloned => Errno == 0;

    /// <inheritdoc/>
    public override string ToString() => IsCloned ? "cloned" : Platform.Errno.Describe(Errno);

    /// <summary>
    /// Whether an error number means that these two files cannot share blocks, here and for this process, rather than that something has
    /// failed: they are on two file systems; the file system has no clones, or not for files such as these; a policy forbids the call (I/O-27).
    /// </summary>
    public static bool IsRefusal(int errno) => errno
        is Platform.Errno.EXDEV or Platform.Errno.EOPNOTSUPP or Platform.Errno.EINVAL or Platform.Errno.ENOSYS
        or Platform.Errno.EPERM or Platform.Errno.EACCES;
}
