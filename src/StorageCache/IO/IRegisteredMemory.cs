namespace StorageCache.IO;

/// <summary>
/// Memory that an engine has the kernel find and pin ahead, piece by piece, instead of for every transfer. Thread-safe, but what is done
/// with one piece is the caller's to order.
/// </summary>
/// <remarks>
/// What is registered is the memory that the addresses have now, not the addresses (N-9). So a piece is registered only while all that is
/// registered of it has memory, and is withdrawn before any of that is taken away (I/O-22). No call completes a request, or waits
/// for anything but the kernel's own moments.
/// </remarks>
internal unsafe interface IRegisteredMemory
{
    /// <summary>Binary logarithm of the bytes of a piece. Piece i begins i pieces behind the start of the memory.</summary>
    int PieceShift { get; }

    /// <summary>Pieces that there are; the last one may be shorter.</summary>
    int Pieces { get; }

    /// <summary>Bytes that are registered now.</summary>
    long Bytes { get; }

    /// <summary>Whether the kernel has refused to register a piece; then no other is registered either.</summary>
    bool IsRefused { get; }

    /// <summary>Registers a part of a piece that is not registered: from now on transfers inside it use that.</summary>
    /// <param name="piece">Which.</param>
    /// <param name="start">First byte, in the piece.</param>
    /// <param name="length">Bytes, 1 or more; all of them have memory.</param>
    /// <returns>Whether it is registered; false once the engine is closed, or <see cref="IsRefused"/>.</returns>
    bool TryRegister(int piece, byte* start, long length);

    /// <summary>
    /// Takes the registration of a piece back: no transfer begins to use it any more. Those that are under way keep the memory that they
    /// had, and the kernel pins it until they have ended.
    /// </summary>
    /// <returns>False if the kernel refuses. Then the piece is registered still, and its memory must not be taken away.</returns>
    bool TryWithdraw(int piece);
}
