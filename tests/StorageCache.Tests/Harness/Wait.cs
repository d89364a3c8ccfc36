using System.Diagnostics;

namespace StorageCache.Tests.Harness;

/// <summary>Waiting that ends: a test fails rather than hangs.</summary>
internal static class Wait
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>The longest time between two looks at a condition that counts: a process that was stopped has not waited.</summary>
    private static readonly TimeSpan s_longestStep = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits until a condition holds.</summary>
    public static void Until(Func<bool> condition, string what)
    {
        TimeSpan waited = TimeSpan.Zero;
        long last = Stopwatch.GetTimestamp();
        SpinWait spin = default;
        while (!condition())
        {
            long now = Stopwatch.GetTimestamp();
            TimeSpan step = Stopwatch.GetElapsedTime(last, now);
            last = now;
            waited += step < s_longestStep ? step : s_longestStep;
            if (waited > Patience)
            {
                throw new TimeoutException($"Waited {Patience} in vain for {what}.");
            }

            spin.SpinOnce();
        }
    }

    /// <summary>Awaits a task, but not for ever.</summary>
    public static Task InTime(this Task task) => task.WaitAsync(Patience);

    /// <summary>Awaits a task, but not for ever.</summary>
    public static Task<T> InTime<T>(this Task<T> task) => task.WaitAsync(Patience);

    /// <summary>Awaits a value task, but not for ever.</summary>
    public static Task InTime(this ValueTask task) => task.AsTask().WaitAsync(Patience);

    /// <summary>Awaits a value task, but not for ever.</summary>
    public static Task<T> InTime<T>(this ValueTask<T> task) => task.AsTask().WaitAsync(Patience);
}
