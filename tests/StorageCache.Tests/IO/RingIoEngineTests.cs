using StorageCache.IO;
using StorageCache.IO.Ring;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO;

public sealed class RingIoEngineTests : IDisposable
{
    private const int Page = TestRequest.PageSize;
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [RingFact]
    public void Ten_thousand_requests_from_four_threads_all_complete_and_never_more_than_the_depth_are_in_flight_I_O_17()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine, pages: 64);
        TestRequest[] requests = [.. Enumerable.Range(0, 10_000).Select(i => TestRequest.Read(i % 64 * (long)Page, 1))];
        int mostInFlight = 0;
        foreach (TestRequest request in requests)
        {
            request.WhenCompleted = () => mostInFlight = Math.Max(mostInFlight, engine.InFlight);
        }

        Thread[] submitters = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
        {
            for (int i = t; i < requests.Length; i += 4)
            {
                device.Submit(requests[i]);
            }
        }))];
        Array.ForEach(submitters, t => t.Start());
        Array.ForEach(submitters, t => t.Join());
        for (int i = 0; i < requests.Length; i++)
        {
            requests[i].Wait();
            Assert.Equal(1, requests[i].Completions);
            Assert.Equal((byte)(i % 64), requests[i].Bytes[0]);
            Assert.False(requests[i].CompletingThread!.IsThreadPoolThread);
            requests[i].Dispose();
        }

        Assert.InRange(mostInFlight, 0, 4);
        Assert.Equal(0, engine.InFlight);
        device.Close();
    }

    [RingFact]
    public void With_a_depth_of_one_requests_complete_in_the_order_in_which_they_came_I_O_17()
    {
        using RingIoEngine engine = new(depth: 1, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine, pages: 100);
        List<int> order = [];
        TestRequest[] requests = [.. Enumerable.Range(0, 100).Select(i => TestRequest.Read(i * (long)Page, 1))];
        for (int i = 0; i < requests.Length; i++)
        {
            int number = i;
            requests[i].WhenCompleted = () => order.Add(number);
        }

        Array.ForEach(requests, device.Submit);
        Array.ForEach(requests, r => r.Wait());
        Assert.Equal(Enumerable.Range(0, 100), order);
        Array.ForEach(requests, r => r.Dispose());
        device.Close();
    }

    [RingFact]
    public void The_loop_reaps_no_more_than_a_quarter_of_what_is_in_flight_at_a_time_I_O_20()
    {
        // Buffered, and in memory: all is complete when it is submitted.
        using MountedFileSystem memory = MountedFileSystem.Tmpfs(1 << 20);
        using RingIoEngine engine = new(depth: 64, maximumThreads: 1);
        FileBlockDevice device = FileBlockDevice.Open(memory.Path + "/file", FileOpenMode.CreateNew, isReadOnly: false, Page, engine);
        using (TestRequest write = TestRequest.Write(0, new byte[Page]).ExecuteOn(device))
        {
            Assert.Null(write.Error);
        }

        using ManualResetEventSlim submitted = new();
        TestRequest[] requests = [.. Enumerable.Range(0, SubmissionPlug.MostKept).Select(_ => TestRequest.Read(0, 1))];
        List<int> left = [requests.Length];
        foreach (TestRequest request in requests)
        {
            request.WhenCompleted = () =>
            {
                submitted.Wait();

                // Places are freed before requests are completed, so it is the same for all of a batch.
                left.Add(engine.InFlight);
            };
        }

        using (SubmissionPlug.Begin())
        {
            Array.ForEach(requests, device.Submit);
        }

        submitted.Set();
        Array.ForEach(requests, r => r.Wait());
        int[] afterEach = [.. left.Distinct()];
        Assert.All(afterEach[1..].Zip(afterEach), pair => Assert.InRange(pair.Second - pair.First, 1, Math.Max(1, pair.Second / 4)));
        Assert.Equal(0, afterEach[^1]);
        Array.ForEach(requests, r => r.Dispose());
        device.Close();
    }

    [RingFact]
    public void Scattered_transfers_of_more_vectors_than_one_batch_holds_arrive_whole_I_O_5()
    {
        using RingIoEngine engine = new(depth: 64, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine, pages: 0);
        byte[] bytes = new byte[700 * Page];
        new Random(3).NextBytes(bytes);
        TestRequest[] writes = [.. Enumerable.Range(0, 12).Select(i => TestRequest.Write(i * (long)bytes.Length, bytes, scattered: true))];
        Array.ForEach(writes, device.Submit);
        Array.ForEach(writes, w => w.Wait());
        Assert.All(writes, w => Assert.Null(w.Error));
        for (int i = 0; i < writes.Length; i++)
        {
            using TestRequest read = TestRequest.Read(i * (long)bytes.Length, 700, scattered: true).SubmitTo(device);
            Assert.True(bytes.AsSpan().SequenceEqual(read.Bytes));
            writes[i].Dispose();
        }

        device.Close();
    }

    [RingFact]
    public void Dispose_runs_what_is_queued_and_refuses_what_comes_later_I_O_12()
    {
        for (int round = 0; round < 50; round++)
        {
            RingIoEngine engine = new(depth: 2, maximumThreads: 1);
            FileBlockDevice device = NewFile(engine, pages: 8);
            TestRequest[] requests = [.. Enumerable.Range(0, 40).Select(i => TestRequest.Read(i % 8 * (long)Page, 1))];
            Array.ForEach(requests, device.Submit);
            engine.Dispose();
            Assert.All(requests, r => Assert.Equal(1, r.Completions));
            Assert.All(requests, r => Assert.Null(r.Error));
            using TestRequest late = TestRequest.Read(0, 1);
            device.Submit(late);
            Assert.Contains("closed", late.Error!.Message, StringComparison.Ordinal);
            engine.Dispose();
            device.Close();
            Array.ForEach(requests, r => r.Dispose());
        }
    }

    [RingFact]
    public void A_request_that_comes_after_its_file_was_closed_fails_and_leaves_its_place_to_others_I_O_3()
    {
        using RingIoEngine engine = new(depth: 1, maximumThreads: 1);
        FileBlockDevice closed = NewFile(engine, pages: 1);
        FileBlockDevice open = NewFile(engine, pages: 1);
        closed.Close();
        for (int i = 0; i < 3; i++)
        {
            using TestRequest late = TestRequest.Read(0, 1).SubmitTo(closed);
            Assert.Equal(9, Assert.IsType<BlockIOException>(late.Error).Errno);
            using TestRequest read = TestRequest.Read(0, 1).SubmitTo(open);
            Assert.Null(read.Error);
        }

        open.Close();
    }

    [RingFact]
    public void A_queued_request_can_be_neither_queued_again_nor_prepared_anew()
    {
        using RingIoEngine engine = new(depth: 1, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine, pages: 1);
        using TestRequest first = TestRequest.Read(0, 1);
        using TestRequest second = TestRequest.Read(0, 1);
        using ManualResetEventSlim reached = new();
        using ManualResetEventSlim gate = new();
        first.WhenCompleted = () =>
        {
            reached.Set();
            gate.Wait();
        };
        device.Submit(first);
        reached.Wait();
        device.Submit(second);
        Assert.True(SpinWait.SpinUntil(() => engine.InFlight == 1, TimeSpan.FromSeconds(30)));
        Assert.Throws<InvalidOperationException>(() => device.Submit(second));
        Assert.Throws<InvalidOperationException>(() => second.PrepareRead(0, 0));
        gate.Set();
        second.Wait();
        device.Close();
    }

    [RingFact]
    public void Reading_and_writing_a_file_allocates_nothing_in_steady_state_I_O_11()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine, pages: 8);
        using TestRequest request = new(4, scattered: true);
        using AutoResetEvent completed = new(false);
        long allocatedByEngine = 0;
        BlockOperation[] operations = [BlockOperation.Write, BlockOperation.Read, BlockOperation.Flush];
        request.WhenCompleted = () =>
        {
            allocatedByEngine = GC.GetAllocatedBytesForCurrentThread();
            completed.Set();
        };

        void Rounds(int count)
        {
            for (int i = 0; i < count; i++)
            {
                foreach (BlockOperation operation in operations)
                {
                    request.Prepare(operation, 0, operation == BlockOperation.Flush ? 0 : 4 * Page);
                    device.Submit(request);
                    completed.WaitOne();
                }
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

    [RingFact]
    public void Requests_of_threads_that_have_ended_complete_all_the_same()
    {
        // Buffered: the kernel hands such reads to a worker that belongs to the thread that submitted them.
        using MountedFileSystem memory = MountedFileSystem.Tmpfs(64 << 20);
        using RingIoEngine engine = new(depth: 64, maximumThreads: 1);
        FileBlockDevice file = NewFile(engine, pages: 64);
        FileBlockDevice buffered = FileBlockDevice.Open(memory.Path + "/file", FileOpenMode.CreateNew, isReadOnly: false, Page, engine);
        using (TestRequest write = TestRequest.Write(0, new byte[66 * Page]).ExecuteOn(buffered))
        {
            Assert.Null(write.Error);
        }

        for (int round = 0; round < 200; round++)
        {
            TestRequest[] requests = [.. Enumerable.Range(0, 32).Select(i => TestRequest.Read(i * Page, 2))];
            Thread thread = new(() =>
            {
                for (int i = 0; i < requests.Length; i++)
                {
                    (i % 2 == 0 ? file : buffered).Submit(requests[i]);
                }
            });
            thread.Start();
            thread.Join();
            Array.ForEach(requests, r => r.Wait());
            Assert.All(requests, r => Assert.Null(r.Error));
            Array.ForEach(requests, r => r.Dispose());
        }

        file.Close();
        buffered.Close();
    }

    [RingFact]
    public async Task A_continuation_that_blocks_on_the_loops_own_work_hands_the_loop_over_I_O_18()
    {
        string path = _directory.File("pages");
        await File.WriteAllBytesAsync(path, new byte[256 * Page]);
        await using PageCache cache = new(new PageCacheOptions
        {
            MemoryLimit = 4 << 20,
            IoEngine = IoEngine.IoUring,
            AllowSynchronousContinuations = true,
        });
        Mapping mapping = await cache.OpenAsync(path);
        for (int i = 0; i < 60; i++)
        {
            await BlockingContinuation.RunAsync(mapping, i * 4).InTime();
        }

        await mapping.CloseAsync();
    }

    private FileBlockDevice NewFile(IIoEngine engine, int pages)
    {
        FileBlockDevice device = FileBlockDevice.Open(
            _directory.File(Path.GetRandomFileName()), FileOpenMode.CreateNew, isReadOnly: false, Page, engine);
        for (int i = 0; i < pages; i++)
        {
            byte[] bytes = new byte[Page];
            Array.Fill(bytes, (byte)i);
            using TestRequest write = TestRequest.Write(i * (long)Page, bytes).ExecuteOn(device);
            Assert.Null(write.Error);
        }

        return device;
    }
}
