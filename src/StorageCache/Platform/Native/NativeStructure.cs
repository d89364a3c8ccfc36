namespace StorageCache.Platform.Native;

/// <summary>Which structure <see cref="NativeMethods.StructLayout"/> describes (<c>SC_STRUCT_*</c>).</summary>
internal enum NativeStructure : uint
{
    /// <summary><see cref="RingRequest"/>.</summary>
    Request = 0,

    /// <summary><see cref="RingCompletion"/>.</summary>
    Completion = 1,

    /// <summary><see cref="Native.RingProperties"/>.</summary>
    RingProperties = 2,

    /// <summary><see cref="FileExtent"/>.</summary>
    Extent = 3,

    /// <summary><see cref="Platform.IoVector"/>.</summary>
    IoVector = 4,
}
