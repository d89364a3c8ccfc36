namespace StorageCache.ReadAhead;

/// <summary>What is to be done for a sequential stream that has moved on.</summary>
/// <param name="Stream">The stream's place in its table.</param>
/// <param name="IsBeginning">Whether the stream has not proven yet that it is one.</param>
/// <param name="FirstPage">The first page of the next window, by number; the mapping may end before it.</param>
/// <param name="Count">Pages in the window; 0 for none.</param>
/// <param name="Mark">The page of the window that the reader comes to first; it carries the read-ahead mark.</param>
/// <param name="PassedFrom">The first of the pages that a scan has left behind, by number.</param>
/// <param name="PassedCount">How many; 0 for none.</param>
internal readonly record struct ReadAheadStep(
    int Stream,
    bool IsBeginning,
    long FirstPage,
    int Count,
    long Mark,
    long PassedFrom,
    int PassedCount)
{
    /// <summary>Whether the window is read upwards.</summary>
    public bool IsForward => Mark == FirstPage;
}
