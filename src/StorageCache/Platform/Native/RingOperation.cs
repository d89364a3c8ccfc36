namespace StorageCache.Platform.Native;

/// <summary>What a request does (<c>SC_OPERATION_*</c>).</summary>
internal enum RingOperation : byte
{
    /// <summary>Completes with 0.</summary>
    Nop = 0,

    /// <summary>Reads into one buffer.</summary>
    Read = 1,

    /// <summary>Writes one buffer.</summary>
    Write = 2,

    /// <summary>Reads into an array of at most 1,024 <see cref="IoVector"/>.</summary>
    ReadVectored = 3,

    /// <summary>Writes an array of at most 1,024 <see cref="IoVector"/>.</summary>
    WriteVectored = 4,

    /// <summary>Data and all metadata to stable storage.</summary>
    Fsync = 5,

    /// <summary>Data, and the metadata needed to find it, to stable storage.</summary>
    FdataSync = 6,

    /// <summary>
    /// Cancels the submitted request whose user data is in <see cref="RingRequest.Address"/>. Completes with 0 if that was cancelled (it
    /// completes with <c>-ECANCELED</c>), <c>-ENOENT</c> if there is none, <c>-EALREADY</c> if it is too late.
    /// </summary>
    Cancel = 7,
}
