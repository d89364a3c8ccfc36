using System.Diagnostics;

namespace StorageCache.IO.Ring;

/// <summary>
/// Requests that the kernel was too busy for, until they are tried again: together, and a pause after the first of them came. So no
/// request is tried again more often than once in a pause. Points in time are those of <see cref="Stopwatch.GetTimestamp"/>. Not
/// thread-safe.
/// </summary>
internal struct RequestPause
{
    /// <summary>Length of a pause: a millisecond.</summary>
    public static readonly long Ticks = Stopwatch.Frequency / 1000;

    private static readonly long s_nanosecondsPerTick = 1_000_000_000 / Stopwatch.Frequency;

    private RequestQueue _requests;
    private long _end;

    /// <summary>Whether nothing waits.</summary>
    public readonly bool IsEmpty => _requests.IsEmpty;

    /// <summary>Adds a request; the first one begins the pause.</summary>
    public void Add(BlockRequest request, long now)
    {
        if (IsEmpty)
        {
            _end = now + Ticks;
        }

        _requests.AddLast(request);
    }

    /// <summary>Whether there are requests, and it is time to try them again.</summary>
    public readonly bool IsOver(long now) => !IsEmpty && now >= _end;

    /// <summary>How long there is to wait, in nanoseconds, 1 or more; there are requests.</summary>
    public readonly long NanosecondsLeft(long now) => Math.Max(1, (_end - now) * s_nanosecondsPerTick);

    /// <summary>Takes all, in the order in which they came.</summary>
    public RequestQueue TakeAll()
    {
        RequestQueue requests = _requests;
        _requests = default;
        return requests;
    }
}
