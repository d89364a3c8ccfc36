using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>What a file is, which it is, and in which state: the runtime tells neither pipes from files, nor two names from two files.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Device">Device that holds it, as major and minor number.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Length">Bytes.</param>
/// <param name="ChangeSeconds">When its contents or its attributes last changed (ctime), in seconds since 1970; nobody can set that.</param>
/// <param name="ChangeNanoseconds">The rest of that time.</param>
internal readonly partial record struct FileStatus(FileKind Kind, ulong Device, ulong Inode, long Length, long ChangeSeconds, uint ChangeNanoseconds)
{
    private const int CurrentDirectory = -100;
    private const int DoNotFollowLinks = 0x100;
    private const int EmptyPath = 0x1000;
    private const uint BasicFields = 0x7FF;
    private const int StatxSize = 256;
    private const int ModeOffset = 28;
    private const int InodeOffset = 32;
    private const int LengthOffset = 40;
    private const int ChangeOffset = 96;
    private const int DeviceOffset = 136;
    private const int TypeMask = 0xF000;

    /// <summary>Looks at a path; null when there is nothing or it may not be looked at.</summary>
    /// <param name="path">The path.</param>
    /// <param name="followLinks">Whether to look at what a symbolic link leads to, rather than at the link.</param>
    public static FileStatus? TryGet(string path, bool followLinks) => TryGet(CurrentDirectory, path, followLinks ? 0 : DoNotFollowLinks);

    /// <summary>Looks at an open file.</summary>
    /// <exception cref="IOException">The system does not say.</exception>
    public static FileStatus Of(SafeFileHandle file) => TryGet((int)file.DangerousGetHandle(), "", EmptyPath)
        ?? throw new IOException(Marshal.GetLastPInvokeErrorMessage());

    /// <summary>Whether the two are one file, whatever has become of it in between.</summary>
    public bool IsSameFileAs(FileStatus other) => Device == other.Device && Inode == other.Inode;

    private static unsafe FileStatus? TryGet(int directory, string path, int flags)
    {
        byte* buffer = stackalloc byte[StatxSize];
        if (Statx(directory, path, flags, BasicFields, buffer) != 0)
        {
            return null;
        }

        ReadOnlySpan<byte> status = new(buffer, StatxSize);
        return new FileStatus(
            (FileKind)(BinaryPrimitives.ReadUInt16LittleEndian(status[ModeOffset..]) & TypeMask),
            BinaryPrimitives.ReadUInt64LittleEndian(status[DeviceOffset..]),
            BinaryPrimitives.ReadUInt64LittleEndian(status[InodeOffset..]),
            BinaryPrimitives.ReadInt64LittleEndian(status[LengthOffset..]),
            BinaryPrimitives.ReadInt64LittleEndian(status[ChangeOffset..]),
            BinaryPrimitives.ReadUInt32LittleEndian(status[(ChangeOffset + sizeof(long))..]));
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial int Statx(int directory, string path, int flags, uint mask, byte* buffer);
}
