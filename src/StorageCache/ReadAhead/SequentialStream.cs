using System.Diagnostics;

namespace StorageCache.ReadAhead;

/// <summary>
/// A sequence of neighbouring pages that somebody reads. What is known of it comes from misses and from the marks that it left
/// on pages read ahead; the hits in between are not seen.
/// </summary>
internal struct SequentialStream
{
    /// <summary>The window that a stream begins with, in pages.</summary>
    public const int FirstWindow = 4;

    /// <summary>Ticks of the table's clock for which a stream is taken to be read after a sign of life, at least.</summary>
    private const int ShortestLife = 64;

    /// <summary>The same at most, so that a slow one which has ended does not keep its place for ever.</summary>
    private const int LongestLife = 1 << 14;

    /// <summary>As many times the last interval between two signs of life it lives on: a window is twice the last, and one sign may be missed.</summary>
    private const int IntervalsOfLife = 4;

    /// <summary>As many times the pages that it has gone it is found by a miss: what chance has begun is not to be continued by chance.</summary>
    private const int TicksPerPage = 4;

    /// <summary>Steps after which a stream is one beyond doubt.</summary>
    private const int MovesThatProve = 3;

    /// <summary>+1 upwards, -1 downwards, 0 for an entry that is not in use.</summary>
    public int Direction;

    /// <summary>The page that was seen last.</summary>
    public long Position;

    /// <summary>The next page, in its direction, that nothing has been read ahead of.</summary>
    public long Frontier;

    /// <summary>The page that carries the stream's mark.</summary>
    public long Mark;

    /// <summary>Pages in the last window; 0 while nothing has been read ahead.</summary>
    public int Window;

    /// <summary>Those of them that had to be read: the others were in memory, beyond the end, or not to be had.</summary>
    public int Started;

    /// <summary>Pages that were evicted before the stream reached them, since its last window was begun.</summary>
    public int Wasted;

    /// <summary>How many pages beyond its windows a miss may lie to be its own: the reader may leave some out.</summary>
    public int Reach;

    /// <summary>Pages that the stream has gone since it began; 0 while only one is known, and its direction is a guess.</summary>
    public long Travelled;

    /// <summary>The first page behind the stream that has not been given up.</summary>
    public long PassedFrom;

    private long _heard;
    private long _interval;
    private int _moves;

    /// <summary>Begins a stream.</summary>
    /// <param name="position">The page that was seen last.</param>
    /// <param name="direction">+1 upwards, -1 downwards.</param>
    /// <param name="travelled">Pages that led there.</param>
    /// <param name="now">The time, by the table's clock.</param>
    /// <param name="interval">How long the last step took.</param>
    public SequentialStream(long position, int direction, long travelled, long now, long interval)
    {
        Direction = direction;
        Position = position;
        Travelled = travelled;
        PassedFrom = position - (direction * travelled);
        Mark = -1;
        Frontier = position + direction;
        _heard = now;
        _interval = interval;
    }

    /// <summary>When it last gave a sign of life, by the table's clock.</summary>
    public readonly long Heard => _heard;

    /// <summary>
    /// Whether it has gone on often enough to be one. Where pages stay in memory for long, chance meets the mark of what chance has
    /// begun now and then.
    /// </summary>
    public readonly bool IsProven => _moves >= MovesThatProve;

    /// <summary>Pages behind the stream that have not been given up.</summary>
    public readonly long Passed => (Position - PassedFrom) * Direction;

    /// <summary>Whether there is a stream here.</summary>
    public readonly bool IsInUse => Direction != 0;

    /// <summary>The lowest of the pages that <see cref="Continues"/> or <see cref="IsAhead"/> may be true of.</summary>
    public readonly long Lowest => Direction < 0 ? Frontier - Reach : Position - 1;

    /// <summary>The highest of the pages that <see cref="Continues"/> or <see cref="IsAhead"/> may be true of.</summary>
    public readonly long Highest => Direction < 0 ? Position + 1 : Frontier + Reach;

    private readonly long Life => Math.Clamp(IntervalsOfLife * _interval, ShortestLife, LongestLife);

    /// <summary>For how long there should have been a sign of life, in ticks; negative while the stream is taken to be read.</summary>
    public readonly long Overdue(long now) => now - _heard - Life;

    /// <summary>
    /// Whether a miss may be taken for its own. A stream that is read reaches its next mark, however long that takes; one that has
    /// ended is not to be brought back to life by a miss somewhere in its windows.
    /// </summary>
    public readonly bool TakesMisses(long now) => now - _heard < Math.Min(Life, Math.Max(ShortestLife, TicksPerPage * Travelled));

    /// <summary>
    /// Whether a miss belongs to the stream: the page whose mark is lost, or one just beyond what has been read ahead, or the
    /// neighbour of the only one. One in the midst of it may be anybody's, and says nothing by itself.
    /// </summary>
    public readonly bool Continues(long page)
    {
        long beyond = (page - Frontier) * Direction;
        return (beyond >= 0 && beyond < Reach)
            || HasMarkAt(page)
            || (Travelled == 0 && Math.Abs(page - Position) == 1);
    }

    /// <summary>Whether a page carries the mark, or has lost it.</summary>
    public readonly bool HasMarkAt(long page) => page == Mark && IsAhead(page);

    /// <summary>Whether a page has been read ahead and not been reached: if it goes now, the windows are too large. One that was passed over says nothing.</summary>
    public readonly bool IsAhead(long page) => (page - Position) * Direction > 0 && (Frontier - page) * Direction > 0;

    /// <summary>Takes a step to a page that was missed or carried the mark.</summary>
    public void MoveTo(long page, long now)
    {
        Debug.Assert(page != Position, "a stream goes on to another page");
        if (Travelled == 0)
        {
            // Which way it goes, the second page tells.
            Direction = Math.Sign(page - Position);
        }

        Travelled += Math.Abs(page - Position);
        Position = page;
        _moves = Math.Min(_moves + 1, MovesThatProve);
        _interval = now - _heard;
        _heard = now;
    }

    /// <summary>Begins a window; what became of it, <see cref="Settle"/> tells.</summary>
    public void Begin(long start, int window, int reach)
    {
        Window = window;
        Started = window;
        Wasted = 0;
        Mark = start;
        Reach = reach;
        Frontier = start + ((long)Direction * window);
    }

    /// <summary>Notes what became of the last window.</summary>
    /// <param name="started">Pages of it that had to be read.</param>
    /// <param name="covered">Pages from its beginning on that are in memory or under way: it may have been cut short.</param>
    public void Settle(int started, int covered)
    {
        Started = started;
        Frontier = Mark + ((long)Direction * covered);
    }

    /// <summary>
    /// The size of the next window: twice the last, or half of it if half of what was read of that was wasted. A stream that wastes
    /// even its smallest window is none, and gets 0.
    /// </summary>
    public readonly int NextWindow(int largest, bool startLarge)
    {
        if (Window == 0)
        {
            return startLarge ? largest : Math.Min(FirstWindow, largest);
        }

        if (!WasInVain)
        {
            return Math.Min(Window * 2, largest);
        }

        return Window > FirstWindow ? Math.Min(Window / 2, largest) : 0;
    }

    /// <summary>Whether more than half of what was read of the last window has been wasted. Less than the smallest window says nothing.</summary>
    public readonly bool WasInVain => Wasted * 2 > Math.Min(Window, Math.Max(Started, FirstWindow));
}
