using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO;

public class ThreadIoEngineTests
{
    private const int Page = TestRequest.PageSize;

    [Fact]
    public void Ten_thousand_requests_from_four_threads_all_complete_on_no_more_threads_than_allowed()
    {
        using ThreadIoEngine engine = new(4);
        GatedDevice device = new();
        TestRequest[] requests = [.. Enumerable.Range(0, 10_000).Select(i => TestRequest.Read(i * (long)Page, 0))];
        Thread[] submitters = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
        {
            for (int i = t; i < requests.Length; i += 4)
            {
                engine.Submit(requests[i], device);
            }
        }))];
        Array.ForEach(submitters, t => t.Start());
        Array.ForEach(submitters, t => t.Join());
        foreach (TestRequest request in requests)
        {
            request.Wait();
            Assert.Equal(1, request.Completions);
            request.Dispose();
        }

        Assert.Equal(10_000, device.Executed);
        Assert.InRange(device.MostAtOnce, 1, 4);
        Assert.InRange(device.Threads.Count, 1, 4);
        Assert.InRange(engine.ThreadCount, 1, 4);
        Assert.False(device.SawPoolThread);
    }

    [Fact]
    public void Threads_are_started_only_when_none_is_idle()
    {
        using ThreadIoEngine engine = new(8);
        GatedDevice device = new();
        Assert.Equal(0, engine.ThreadCount);
        for (int i = 0; i < 20; i++)
        {
            using TestRequest request = TestRequest.Flush();
            engine.Submit(request, device);
            request.Wait();

            Assert.True(SpinWait.SpinUntil(() => engine.IdleThreadCount == 1, TimeSpan.FromSeconds(30)));
        }

        Assert.Equal(1, engine.ThreadCount);
    }

    [Fact]
    public void As_many_requests_run_at_once_as_there_may_be_threads()
    {
        using ThreadIoEngine engine = new(3);
        GatedDevice device = new();
        device.Gate.Reset();
        TestRequest[] requests = [.. Enumerable.Range(0, 10).Select(_ => TestRequest.Flush())];
        Array.ForEach(requests, r => engine.Submit(r, device));
        Assert.True(SpinWait.SpinUntil(() => device.MostAtOnce == 3, TimeSpan.FromSeconds(30)));
        Assert.Equal(3, engine.ThreadCount);
        device.Gate.Set();
        Array.ForEach(requests, r => r.Wait());
        Assert.Equal(3, device.MostAtOnce);
    }

    [Fact]
    public void Requests_start_in_the_order_in_which_they_came()
    {
        using ThreadIoEngine engine = new(1);
        GatedDevice device = new();
        TestRequest[] requests = [.. Enumerable.Range(0, 100).Select(i => TestRequest.Read(i, 0))];
        Array.ForEach(requests, r => engine.Submit(r, device));
        Array.ForEach(requests, r => r.Wait());
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), device.Order);
    }

    [Fact]
    public void Dispose_runs_what_is_queued_and_refuses_what_comes_later()
    {
        ThreadIoEngine engine = new(2);
        GatedDevice device = new();
        device.Gate.Reset();
        TestRequest[] requests = [.. Enumerable.Range(0, 100).Select(_ => TestRequest.Flush())];
        Array.ForEach(requests, r => engine.Submit(r, device));
        Thread disposer = new(engine.Dispose);
        disposer.Start();
        Assert.False(disposer.Join(50));
        device.Gate.Set();
        disposer.Join();
        Assert.All(requests, r => Assert.Equal(1, r.Completions));
        Assert.All(requests, r => Assert.Null(r.Error));

        using TestRequest late = TestRequest.Flush();
        engine.Submit(late, device);
        Assert.Contains("closed", late.Error!.Message, StringComparison.Ordinal);
        engine.Dispose();
    }

    [Fact]
    public void Dispose_from_a_completion_does_not_wait_for_itself()
    {
        ThreadIoEngine engine = new(1);
        using TestRequest request = TestRequest.Flush();
        request.WhenCompleted = engine.Dispose;
        engine.Submit(request, new GatedDevice());
        request.Wait();
        engine.Dispose();
    }

    /// <remarks>I/O-15.</remarks>
    [Fact]
    public void A_device_that_throws_fails_its_request_and_no_thread_ends()
    {
        using ThreadIoEngine engine = new(1);
        GatedDevice device = new() { Fault = new InvalidOperationException() };
        for (int i = 0; i < 3; i++)
        {
            using TestRequest request = TestRequest.Flush();
            engine.Submit(request, device);
            request.Wait();
            Assert.Same(device.Fault, request.Error!.InnerException);
        }

        device.Fault = null;
        using TestRequest good = TestRequest.Flush();
        engine.Submit(good, device);
        good.Wait();
        Assert.Null(good.Error);
        Assert.Single(device.Threads);
    }

    [Fact]
    public void A_queued_request_can_be_neither_queued_again_nor_prepared_anew()
    {
        using ThreadIoEngine engine = new(1);
        GatedDevice device = new();
        device.Gate.Reset();
        using TestRequest running = TestRequest.Flush();
        using TestRequest queued = TestRequest.Flush();
        engine.Submit(running, device);
        engine.Submit(queued, device);
        Assert.True(SpinWait.SpinUntil(() => device.Executed == 1, TimeSpan.FromSeconds(30)));
        Assert.Throws<InvalidOperationException>(() => engine.Submit(queued, device));
        Assert.Throws<InvalidOperationException>(() => queued.PrepareRead(0, 0));
        device.Gate.Set();
        queued.Wait();
    }

    [Fact]
    public void Reading_and_writing_a_file_allocates_nothing_in_steady_state()
    {
        using ScratchDirectory directory = new();
        using ThreadIoEngine engine = new(1);
        FileBlockDevice device = FileBlockDevice.Open(directory.File("file"), FileOpenMode.CreateNew, isReadOnly: false, Page, engine);
        using TestRequest request = new(4, scattered: true);
        using AutoResetEvent completed = new(false);
        long allocatedByEngine = 0;
        request.WhenCompleted = () =>
        {
            allocatedByEngine = GC.GetAllocatedBytesForCurrentThread();
            completed.Set();
        };

        void Round(BlockOperation operation, int bytes)
        {
            request.Prepare(operation, 0, bytes);
            device.Submit(request);
            completed.WaitOne();
        }

        void Rounds(int count)
        {
            for (int i = 0; i < count; i++)
            {
                Round(BlockOperation.Write, (3 * Page) + 100);
                Round(BlockOperation.Read, 4 * Page);
                Round(BlockOperation.Write, 2 * Page);
            }
        }

        Rounds(100);
        long engineBefore = allocatedByEngine;
        long callerBefore = GC.GetAllocatedBytesForCurrentThread();
        Rounds(100);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - callerBefore);
        Assert.Equal(0, allocatedByEngine - engineBefore);
        Assert.Null(request.Error);
        device.Close();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_continuation_that_blocks_on_what_stands_in_the_queue_leaves_it_to_another_thread_I_O_18(int threads)
    {
        using ScratchDirectory directory = new();
        string path = directory.File("pages");
        await File.WriteAllBytesAsync(path, new byte[256 * Page]);
        await using PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = 4 << 20,
            IoEngine = IoEngine.Threads,
            IoThreads = threads,
            AllowSynchronousContinuations = true,
        });
        Mapping mapping = await cache.OpenAsync(path, new MappingOptions { AccessPattern = AccessPattern.Random });
        for (int i = 0; i < 30; i++)
        {
            Task[] readers = [.. Enumerable.Range(0, 4).Select(reader => BlockingContinuation.RunAsync(mapping, ((i * 4) + reader) * 2))];
            await Task.WhenAll(readers).InTime();
        }

        await mapping.CloseAsync();
    }
}
