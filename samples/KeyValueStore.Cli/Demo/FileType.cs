using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>Tells regular files from pipes, sockets and devices, which must not be opened: that waits for whoever is at the other end.</summary>
internal static partial class FileType
{
    private const int CurrentDirectory = -100;
    private const int DoNotFollowLinks = 0x100;
    private const uint TypeOnly = 1;
    private const int StatxSize = 256;
    private const int ModeOffset = 28;
    private const int TypeMask = 0xF000;
    private const int RegularFile = 0x8000;

    /// <summary>Whether the path is a regular file. True where the system cannot say.</summary>
    public static unsafe bool IsRegular(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return true;
        }

        byte* buffer = stackalloc byte[StatxSize];
        return Statx(CurrentDirectory, path, DoNotFollowLinks, TypeOnly, buffer) != 0
            || (BinaryPrimitives.ReadUInt16LittleEndian(new ReadOnlySpan<byte>(buffer + ModeOffset, sizeof(ushort))) & TypeMask) == RegularFile;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(int directory, string path, int flags, uint mask, byte* buffer);
}
