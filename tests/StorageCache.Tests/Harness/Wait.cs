using System.Diagnostics;
using System.Runtime.CompilerServices;
using Xunit;

namespace StorageCache.Tests.Harness;

/// <summary>Waiting that ends: a test fails rather than hangs.</summary>
internal static class Wait
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>The longest time between two looks at a condition that counts: a process that was stopped has not waited.</summary>
    private static readonly TimeSpan s_longestStep = TimeSpan.FromMilliseconds(100);

    /// <summary>Into so many steps patience is divided where a wait is not polled.</summary>
    private const int PatientSteps = 20;

    /// <summary>The longest of these steps that counts.</summary>
    private static readonly TimeSpan s_longStep = Patience / PatientSteps;

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
                throw MakeTimeout(what);
            }

            spin.SpinOnce();
        }
    }

    /// <summary>Awaits a task, but not for ever.</summary>
    public static async Task InTime(this Task task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        for (int step = 0; !task.IsCompleted && step < PatientSteps; step++)
        {
            await Task.WhenAny(task, Task.Delay(s_longStep));
        }

        if (!task.IsCompleted)
        {
            throw MakeTimeout(what);
        }

        await task;
    }

    /// <summary>Awaits a task, but not for ever.</summary>
    public static async Task<T> InTime<T>(this Task<T> task, [CallerArgumentExpression(nameof(task))] string what = "")
    {
        await InTime((Task)task, what);
        return await task;
    }

    /// <summary>Awaits a value task, but not for ever.</summary>
    public static Task InTime(this ValueTask task, [CallerArgumentExpression(nameof(task))] string what = "") => task.AsTask().InTime(what);

    /// <summary>Awaits a value task, but not for ever.</summary>
    public static Task<T> InTime<T>(this ValueTask<T> task, [CallerArgumentExpression(nameof(task))] string what = "") => task.AsTask().InTime(what);

    /// <summary>Says also in the test's output what was waited for: what a test finds wrong when it cleans up hides its first exception.</summary>
    private static TimeoutException MakeTimeout(string what)
    {
        string message = $"Waited {Patience} in vain for {what}.";
        TestContext.Current.TestOutputHelper?.WriteLine(message);
        return new TimeoutException(message);
    }
}
