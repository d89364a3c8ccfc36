using StorageCache.Tests.IO;

namespace StorageCache.KeyValueStore.Tests.Mounted;

/// <summary>File systems to clone stores on.</summary>
internal static class CloneDisk
{
    public const string Xfs = "xfs";
    public const string Btrfs = "btrfs";

    /// <summary>Has no reflinks.</summary>
    public const string Tmpfs = "tmpfs";

    /// <summary>Makes one; skips the test where that cannot be.</summary>
    public static MountedFileSystem Mount(string type) => type switch
    {
        Xfs => MountedFileSystem.Loop("xfs", 320L << 20),
        Btrfs => MountedFileSystem.Loop("btrfs", 128L << 20, "loop", "--mixed"),
        _ => MountedFileSystem.Tmpfs(64 << 20),
    };

    public static bool HasReflinks(string type) => type is Xfs or Btrfs;

    /// <summary>A path in it.</summary>
    public static string File(this MountedFileSystem disk, string name) => Path.Combine(disk.Path, name);
}
