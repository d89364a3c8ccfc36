namespace StorageCache.Tests.IO.Faults;

/// <summary>What the kernel asks of a file system in user space: those of its numbers that are told apart here.</summary>
internal enum FuseOperation
{
    Lookup = 1,
    Forget = 2,
    GetAttributes = 3,
    SetAttributes = 4,
    Open = 14,
    Read = 15,
    Write = 16,
    FileSystemStatus = 17,
    Release = 18,
    Sync = 20,
    Flush = 25,
    Start = 26,
    OpenDirectory = 27,
    ReleaseDirectory = 29,
    Interrupt = 36,
    BatchForget = 42,
}
