using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.FileSystems;

/// <summary>The file systems that the cache is tested on, by name, and what is different about each.</summary>
internal static class FileSystem
{
    public const string Ext4 = "ext4";

    /// <summary>Refuses direct I/O, and says so.</summary>
    public const string JournalledExt4 = "ext4 with its data in the journal";

    public const string Xfs = "xfs";

    /// <summary>Does not say what direct I/O has to be aligned to, and shares extents.</summary>
    public const string Btrfs = "btrfs";

    /// <summary>Takes <c>O_DIRECT</c>, on newer kernels, and ignores it.</summary>
    public const string Tmpfs = "tmpfs";

    public static readonly string[] All = [Ext4, JournalledExt4, Xfs, Btrfs, Tmpfs];

    /// <summary>Every file system with every engine; where there is no ring, its rows are skipped.</summary>
    public static IEnumerable<TheoryDataRow<string, IoEngine>> WithEachEngine => WithEngines(All);

    /// <summary>Those whose files outlive a mount, with every engine.</summary>
    public static IEnumerable<TheoryDataRow<string, IoEngine>> OnDiskWithEachEngine => WithEngines(All[..^1]);

    /// <summary>Makes one; skips the test where that cannot be.</summary>
    public static MountedFileSystem Mount(string name) => name switch
    {
        Ext4 => MountedFileSystem.Loop("ext4", 64L << 20),
        JournalledExt4 => MountedFileSystem.Loop("ext4", 64L << 20, "loop,data=journal"),
        Xfs => MountedFileSystem.Loop("xfs", 320L << 20),
        Btrfs => MountedFileSystem.Loop("btrfs", 64L << 20, "loop", "--mixed"),
        _ => MountedFileSystem.Tmpfs(64 << 20),
    };

    /// <summary>Whether transfers pass the kernel's page cache by.</summary>
    public static bool IsDirect(string name) => name is Ext4 or Xfs or Btrfs;

    private static IEnumerable<TheoryDataRow<string, IoEngine>> WithEngines(IEnumerable<string> names) =>
        from name in names
        from engine in TestEngines.Each
        select new TheoryDataRow<string, IoEngine>(name, engine.Data) { Skip = engine.Skip };
}
