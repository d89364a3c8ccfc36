using System.Runtime.InteropServices;

namespace StorageCache.Platform;

internal static partial class LibC
{
    public const int O_RDONLY = 0;
    public const int O_RDWR = 2;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_NONBLOCK = 0x800;
    public const int O_CLOEXEC = 0x80000;

    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int F_ADD_SEALS = 1033;

    public const int F_SEAL_SEAL = 0x1;
    public const int F_SEAL_SHRINK = 0x2;
    public const int F_SEAL_GROW = 0x4;

    public const uint MFD_CLOEXEC = 0x1;
    public const uint MFD_ALLOW_SEALING = 0x2;
    public const uint MFD_NOEXEC_SEAL = 0x8;

    public const int RLIMIT_FSIZE = 1;

    public const int LOCK_SH = 1;
    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;
    public const int LOCK_UN = 8;

    public const int SEEK_END = 2;

    public const int FALLOC_FL_KEEP_SIZE = 1;
    public const int FALLOC_FL_PUNCH_HOLE = 2;

    public const int AT_EMPTY_PATH = 0x1000;
    public const uint STATX_BASIC_STATS = 0x7ff;
    public const uint STATX_DIOALIGN = 0x2000;

    public const long TMPFS_MAGIC = 0x01021994;
    public const long RAMFS_MAGIC = 0x858458f6;
    public const long XFS_SUPER_MAGIC = 0x58465342;
    public const long BTRFS_SUPER_MAGIC = 0x9123683e;

    public const nuint FS_IOC_FIEMAP = 0xc020660b;
    public const nuint FICLONE = 0x40049409;
    public const nuint FS_IOC_FSGETXATTR = 0x801c581f;
    public const nuint BTRFS_IOC_FS_INFO = 0x8400941f;

    public const uint FIEMAP_FLAG_SYNC = 0x1;
    public const uint FS_XFLAG_REALTIME = 0x1;

    public const int PROT_NONE = 0;
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;

    public const int MAP_SHARED = 0x01;
    public const int MAP_PRIVATE = 0x02;
    public const int MAP_FIXED = 0x10;
    public const int MAP_ANONYMOUS = 0x20;
    public const int MAP_NORESERVE = 0x4000;

    public const int MADV_DONTNEED = 4;
    public const int MADV_REMOVE = 9;
    public const int MADV_DONTFORK = 10;
    public const int MADV_HUGEPAGE = 14;
    public const int MADV_NOHUGEPAGE = 15;
    public const int MADV_POPULATE_WRITE = 23;

    /// <summary>The most pieces of memory that one vectored call takes (<c>UIO_MAXIOV</c>).</summary>
    public const int IOV_MAX = 1024;

    /// <summary>What <see cref="mmap"/> gives back when it fails.</summary>
    public static readonly nint MAP_FAILED = -1;

    /// <summary><c>O_DIRECT</c>. arm64 keeps arm's values, where x64's value means <c>O_DIRECTORY</c>.</summary>
    public static readonly int O_DIRECT = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;

    /// <summary><c>O_DIRECTORY</c>. arm64 keeps arm's values, where x64's value means <c>O_DIRECT</c>.</summary>
    public static readonly int O_DIRECTORY = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x10000;
}
