namespace StorageCache.Platform.Native;

/// <summary>How a request names its file and memory (<c>SC_REQUEST_*</c>).</summary>
[Flags]
internal enum RingRequestFlags : byte
{
    None = 0,

    /// <summary><see cref="RingRequest.File"/> is an index into the registered files.</summary>
    FixedFile = 1 << 0,

    /// <summary>The memory lies in the registered buffer number <see cref="RingRequest.BufferIndex"/>. Transfers only.</summary>
    FixedBuffer = 1 << 1,
}
