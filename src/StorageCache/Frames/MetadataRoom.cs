namespace StorageCache.Frames;

/// <summary>
/// Room in the memory limit for small pieces of metadata that there may be more of than there are frames. It is charged in chunks
/// while no lock is held, and taken piece by piece under any. Thread-safe.
/// </summary>
internal sealed class MetadataRoom
{
    private const int PiecesPerChunk = 64;

    private readonly FramePool _frames;
    private readonly long _chunkBytes;
    private int _spare;
    private int _taken;

    /// <param name="frames">What gives up free frames for it.</param>
    /// <param name="pieceBytes">Bytes per piece.</param>
    public MetadataRoom(FramePool frames, int pieceBytes)
    {
        _frames = frames;
        _chunkBytes = (long)pieceBytes * PiecesPerChunk;
    }

    /// <summary>Pieces that are in use.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>Bytes charged: pieces in use, and those at hand.</summary>
    public long Bytes => (Taken + (long)Volatile.Read(ref _spare)) * (_chunkBytes / PiecesPerChunk);

    /// <summary>
    /// Sees that some pieces are at hand; takes the memory of free frames for them if need be. No lock is held. Returns false if there
    /// is no room.
    /// </summary>
    public bool TryProvide()
    {
        if (Volatile.Read(ref _spare) >= PiecesPerChunk / 2)
        {
            return true;
        }

        if (_frames.TryTakeRoom(_chunkBytes))
        {
            Interlocked.Add(ref _spare, PiecesPerChunk);
            return true;
        }

        return Volatile.Read(ref _spare) > 0;
    }

    /// <summary>Takes a piece of those at hand.</summary>
    public bool TryTake()
    {
        int spare = Volatile.Read(ref _spare);
        while (spare > 0)
        {
            int seen = Interlocked.CompareExchange(ref _spare, spare - 1, spare);
            if (seen == spare)
            {
                Interlocked.Increment(ref _taken);
                return true;
            }

            spare = seen;
        }

        return false;
    }

    /// <summary>Gives a piece back; whole chunks that nobody needs go back to the memory limit.</summary>
    public void Return()
    {
        Interlocked.Decrement(ref _taken);
        int spare = Interlocked.Increment(ref _spare);
        while (spare > 2 * PiecesPerChunk)
        {
            int seen = Interlocked.CompareExchange(ref _spare, spare - PiecesPerChunk, spare);
            if (seen == spare)
            {
                _frames.ReturnRoom(_chunkBytes);
                return;
            }

            spare = seen;
        }
    }
}
