using System.Runtime.InteropServices;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO.Restrictions;

/// <summary>A process that cannot start a thread at the moment at which one is needed.</summary>
public partial class NoThreadLeftTests
{
    private const string LimitVariable = "STORAGECACHE_NO_THREAD_LEFT";
    private const int MaximumProcesses = 6;

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public Task An_engine_whose_work_cannot_be_handed_over_waits_for_a_thread_I_O_18(IoEngine engine) =>
        new RestrictedProcess().OfAnotherUser().With(LimitVariable, engine.ToString())
            .RunAsync(typeof(NoThreadLeftTests), nameof(A_continuation_that_blocks_on_a_thread_of_the_engine_loses_nothing));

    /// <summary>With the variable, which names an engine, while no thread can be started.</summary>
    [Fact]
    public async Task A_continuation_that_blocks_on_a_thread_of_the_engine_loses_nothing()
    {
        bool isLimited = Enum.TryParse(Environment.GetEnvironmentVariable(LimitVariable), out IoEngine engine);
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 1 << 20, IoEngine = engine, IoThreads = 1, AllowSynchronousContinuations = true });
        MappingOptions options = new() { ReadOnly = true, Exclusive = false, AccessPattern = AccessPattern.Random };
        Mapping mapping = await cache.OpenAsync(typeof(NoThreadLeftTests).Assembly.Location, options);

        // The engine has its one thread from here on. Nobody goes on there, for that is what comes next.
        Task<PageReadLease> first = mapping.ReadAsync(0).AsTask();
        Wait.Until(() => first.IsCompleted, "the engine to begin");
        (await first).Dispose();
        if (isLimited)
        {
            LimitThreads(0);
        }

        // Stays on this thread: there may be no other.
        Task reading = BlockingContinuation.RunAsync(mapping, 1);
        if (isLimited)
        {
            Wait.Until(() => cache.Core.Waiters.InUse == 2 || reading.IsCompleted, "the continuation to block");
            for (int i = 0; i < 100; i++)
            {
                // It is about to look for a thread. Should it take longer, the test proves nothing, and passes.
                Thread.Sleep(1);
            }

            LimitThreads(ulong.MaxValue);
        }

        await reading.InTime();
        (await mapping.ReadAsync(3).InTime()).Dispose();
        Assert.Equal(0, cache.Core.Waiters.InUse);
        await mapping.CloseAsync().InTime();
    }

    [Fact]
    public Task Disposal_waits_for_what_is_queued_while_no_thread_is_to_be_had_for_it_I_O_12() =>
        new RestrictedProcess().OfAnotherUser().With(LimitVariable, nameof(IoEngine.Threads))
            .RunAsync(typeof(NoThreadLeftTests), nameof(An_engine_is_disposed_of_when_what_is_queued_has_run));

    /// <summary>With the variable, while the last thread has left and none can be started for what it leaves behind.</summary>
    [Fact]
    public void An_engine_is_disposed_of_when_what_is_queued_has_run()
    {
        bool isLimited = Environment.GetEnvironmentVariable(LimitVariable) is not null;
        using ThreadIoEngine engine = new(maximumThreads: 1);
        MemoryBlockDevice device = new("memory", 8 * TestRequest.PageSize);
        using TestRequest first = TestRequest.Read(0, 1);
        using TestRequest second = TestRequest.Read(0, 1);
        using ManualResetEventSlim limited = new();
        first.WhenCompleted = () =>
        {
            engine.Submit(second, device);
            if (isLimited)
            {
                LimitThreads(0);
            }

            limited.Set();
            ThreadIoEngine.LeaveHere();
        };
        Thread lifting = new(() =>
        {
            limited.Wait();
            for (int i = 0; i < 100; i++)
            {
                // The disposal has begun by then. Should it take longer, the test proves nothing, and passes.
                Thread.Sleep(1);
            }

            if (isLimited)
            {
                LimitThreads(ulong.MaxValue);
            }
        });
        lifting.Start();
        engine.Submit(first, device);
        limited.Wait();
        Wait.Until(() => engine.ThreadCount == 0 || second.Completions > 0, "the only thread to leave");
        engine.Dispose();
        Assert.Equal(1, second.Completions);
        lifting.Join();
    }

    private static unsafe void LimitThreads(ulong most)
    {
        ulong* limits = stackalloc ulong[2];
        Assert.Equal(0, getrlimit(MaximumProcesses, limits));
        limits[0] = Math.Min(most, limits[1]);
        Assert.Equal(0, setrlimit(MaximumProcesses, limits));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int getrlimit(int resource, ulong* limits);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int setrlimit(int resource, ulong* limits);
}
