namespace StorageCache.Platform;

/// <summary>Processor time of the calling thread.</summary>
internal static unsafe class ThreadClock
{
    private const int CLOCK_THREAD_CPUTIME_ID = 3;

    /// <summary>How much processor time the calling thread has used.</summary>
    public static TimeSpan Elapsed
    {
        get
        {
            long* time = stackalloc long[2];
            return LibC.clock_gettime(CLOCK_THREAD_CPUTIME_ID, time) == 0
                ? TimeSpan.FromTicks((time[0] * TimeSpan.TicksPerSecond) + (time[1] / TimeSpan.NanosecondsPerTick))
                : TimeSpan.Zero;
        }
    }
}
