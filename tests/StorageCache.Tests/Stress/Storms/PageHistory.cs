using System.Text;

namespace StorageCache.Tests.Stress.Storms;

/// <summary>
/// The last things that happened to a page, or to a file as a whole. They have numbers in the order in which they were noted, over all
/// pages, so that several histories can be read side by side. Thread-safe.
/// </summary>
internal sealed class PageHistory
{
    private const int Kept = 12;

    private static long s_number;

    private readonly Lock _lock = new();
    private readonly (long Number, int Worker, string What, int Value)[] _events = new (long, int, string, int)[Kept];
    private long _count;
    private long _seen;

    /// <summary>Notes that something has been done.</summary>
    /// <param name="worker">By whom.</param>
    /// <param name="what">What, in the past.</param>
    /// <param name="value">The value that the page has now; none if negative.</param>
    public void Note(int worker, string what, int value = -1)
    {
        lock (_lock)
        {
            _events[_count++ % Kept] = (Interlocked.Increment(ref s_number), worker, what, value);
        }
    }

    /// <summary>Notes that the page has been read, and was as it should be.</summary>
    public void NoteSeen() => Volatile.Write(ref _seen, Interlocked.Increment(ref s_number));

    public override string ToString()
    {
        lock (_lock)
        {
            StringBuilder text = new();
            for (long i = Math.Max(0, _count - Kept); i < _count; i++)
            {
                (long number, int worker, string what, int value) = _events[i % Kept];
                text.Append($"\n    #{number} worker {worker}: {what}{(value < 0 ? "" : $", value {value}")}");
            }

            return _seen == 0 ? text.ToString() : text.Append($"\n    #{_seen} last seen to be right").ToString();
        }
    }
}
