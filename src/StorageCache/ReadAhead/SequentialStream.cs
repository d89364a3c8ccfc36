namespace StorageCache.ReadAhead;

/// <summary>
/// A sequence of neighbouring pages that somebody reads, or may be beginning to read. What is known of it comes from misses
/// and from the marks that it left on pages read ahead; the hits in between are not seen.
/// </summary>
internal struct SequentialStream
{
    /// <summary>The window that a stream begins with, in pages.</summary>
    public const int FirstWindow = 4;

    /// <summary>Neighbours missed one after the other; 0 for an entry that is not in use.</summary>
    public int Run;

    /// <summary>+1 upwards, -1 downwards, 0 while only one page is known.</summary>
    public int Direction;

    /// <summary>The page that was seen last.</summary>
    public long Position;

    /// <summary>The next page, in its direction, that nothing has been read ahead of.</summary>
    public long Frontier;

    /// <summary>The page that carries the stream's mark.</summary>
    public long Mark;

    /// <summary>Pages in the last window; 0 while nothing has been read ahead.</summary>
    public int Window;

    /// <summary>Pages that were evicted before the stream reached them, since its last window was begun.</summary>
    public int Wasted;

    /// <summary>Pages that the stream has gone since it began.</summary>
    public long Travelled;

    /// <summary>The first page behind the stream that has not been given up.</summary>
    public long PassedFrom;

    /// <summary>When it was last used, by the table's clock.</summary>
    public long LastUse;

    /// <summary>Begins a stream that may be one.</summary>
    public SequentialStream(long page)
    {
        Run = 1;
        Position = page;
        PassedFrom = page;
        Mark = -1;
    }

    /// <summary>Pages behind the stream that have not been given up.</summary>
    public readonly long Passed => (Position - PassedFrom) * Direction;

    /// <summary>Whether windows are read ahead for it.</summary>
    public readonly bool IsActive => Window > 0;

    /// <summary>
    /// Whether a miss belongs to the stream: the neighbour of the last, or, once there are windows, the page whose mark is lost, or
    /// one just beyond what has been read ahead. One in the midst of it may be anybody's, and says nothing by itself.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="reach">How many pages beyond the windows it may lie: the reader may leave some out.</param>
    public readonly bool Continues(long page, int reach)
    {
        if (Run == 1 && Math.Abs(page - Position) == 1)
        {
            // Which way it goes, the second page tells.
            return true;
        }

        if (!IsActive)
        {
            return Run > 1 && page - Position == Direction;
        }

        long beyond = (page - Frontier) * Direction;
        return (beyond >= 0 && beyond < reach) || (page == Mark && IsAhead(page));
    }

    /// <summary>Whether a page has been read ahead and not been reached: if it goes now, the windows are too large. One that was passed over says nothing.</summary>
    public readonly bool IsAhead(long page) => IsActive && (page - Position) * Direction > 0 && (Frontier - page) * Direction > 0;

    /// <summary>Takes a step to a page that was missed or carried the mark.</summary>
    public void MoveTo(long page)
    {
        if (Run == 1)
        {
            Direction = Math.Sign(page - Position);
        }

        Travelled += Math.Abs(page - Position);
        Position = page;
        Run++;
    }

    /// <summary>
    /// The size of the next window: twice the last, or half of it if half of that was wasted. A stream that wastes even its
    /// smallest window is none, and gets 0.
    /// </summary>
    public readonly int NextWindow(int largest, bool startLarge)
    {
        if (!IsActive)
        {
            return startLarge ? largest : Math.Min(FirstWindow, largest);
        }

        if (Wasted * 2 <= Window)
        {
            return Math.Min(Window * 2, largest);
        }

        return Window > FirstWindow ? Math.Min(Window / 2, largest) : 0;
    }
}
