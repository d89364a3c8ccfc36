namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>What a name in a directory stands for; the values are those of the kernel (S_IFMT).</summary>
internal enum FileKind
{
    /// <summary>A named pipe. Opening it waits for somebody at the other end.</summary>
    Pipe = 0x1000,

    /// <summary>A character device, such as a terminal or /dev/null.</summary>
    CharacterDevice = 0x2000,

    /// <summary>A directory.</summary>
    Directory = 0x4000,

    /// <summary>A block device.</summary>
    BlockDevice = 0x6000,

    /// <summary>A file with contents of its own.</summary>
    Regular = 0x8000,

    /// <summary>A symbolic link.</summary>
    Link = 0xA000,

    /// <summary>A socket.</summary>
    Socket = 0xC000,
}
