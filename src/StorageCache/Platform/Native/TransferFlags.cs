namespace StorageCache.Platform.Native;

/// <summary>How a transfer is carried out (<c>SC_TRANSFER_*</c>, the kernel's <c>RWF_*</c>).</summary>
[Flags]
internal enum TransferFlags : uint
{
    None = 0,

    /// <summary><c>RWF_HIPRI</c>: poll the device.</summary>
    Poll = 0x1,

    /// <summary><c>RWF_DSYNC</c>: a write is on stable storage when it completes.</summary>
    DataSync = 0x2,

    /// <summary><c>RWF_SYNC</c>: and so is all metadata.</summary>
    Sync = 0x4,

    /// <summary><c>RWF_NOWAIT</c>: <c>-EAGAIN</c> rather than wait.</summary>
    NoWait = 0x8,
}
