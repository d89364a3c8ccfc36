using StorageCache.IO;
using StorageCache.IO.Ring;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO;

public sealed class SubmissionPlugTests : IDisposable
{
    private const int Page = TestRequest.PageSize;
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [RingFact]
    public void What_is_submitted_behind_a_plug_goes_to_the_kernel_in_one_call_when_the_plug_is_pulled()
    {
        using RingIoEngine engine = new(depth: 64, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        TestRequest[] requests = NewReads(20);
        long before = engine.Submissions;
        using (SubmissionPlug.Begin())
        {
            Array.ForEach(requests, device.Submit);
            Assert.True(SubmissionPlug.IsKeeping);
            Assert.Equal(0, engine.InFlight);
            Assert.Equal(before, engine.Submissions);
        }

        Assert.False(SubmissionPlug.IsKeeping);
        Assert.Equal(before + 1, engine.Submissions);
        Finish(requests);
        device.Close();
    }

    [RingFact]
    public void Plugs_nest_and_the_outermost_lets_go()
    {
        using RingIoEngine engine = new(depth: 64, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        TestRequest[] requests = NewReads(2);
        using (SubmissionPlug.Begin())
        {
            using (SubmissionPlug.Begin())
            {
                device.Submit(requests[0]);
            }

            Assert.True(SubmissionPlug.IsKeeping);
            device.Submit(requests[1]);
            Assert.Equal(0, engine.InFlight);
        }

        Finish(requests);
        device.Close();
    }

    [RingFact]
    public void A_plug_keeps_no_more_than_its_limit_back_and_the_order_I_O_17()
    {
        using RingIoEngine engine = new(depth: 1, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        TestRequest[] requests = NewReads((2 * SubmissionPlug.MostKept) + 1);
        List<int> order = [];
        for (int i = 0; i < requests.Length; i++)
        {
            int number = i;
            requests[i].WhenCompleted = () => order.Add(number);
        }

        using (SubmissionPlug.Begin())
        {
            Array.ForEach(requests[..^1], device.Submit);
            Assert.False(SubmissionPlug.IsKeeping);
            requests[^2].Wait();
            device.Submit(requests[^1]);
            Assert.True(SubmissionPlug.IsKeeping);
        }

        Finish(requests);
        Assert.Equal(Enumerable.Range(0, requests.Length), order);
        device.Close();
    }

    [RingFact]
    public void A_plug_serves_two_engines_in_turns()
    {
        using RingIoEngine one = new(depth: 4, maximumThreads: 1);
        using RingIoEngine other = new(depth: 4, maximumThreads: 1);
        FileBlockDevice[] devices = [NewFile(one), NewFile(other)];
        TestRequest[] requests = NewReads(20);
        using (SubmissionPlug.Begin())
        {
            for (int i = 0; i < requests.Length; i++)
            {
                devices[i % 2].Submit(requests[i]);
            }
        }

        Finish(requests);
        Array.ForEach(devices, d => d.Close());
    }

    [RingFact]
    public void A_plugged_thread_that_waits_for_a_page_it_has_asked_for_gets_it_I_O_19()
    {
        using StorageCacheFile test = new(_directory.File("pages"), pages: 64, inline: false);
        for (int i = 0; i < 32; i++)
        {
            using SubmissionPlug plug = SubmissionPlug.Begin();
            Assert.Equal(1, test.Mapping.Prefetch(i, 1));
            test.Mapping.Read(i).Dispose();
        }
    }

    [RingFact]
    public void A_plugged_thread_that_carries_a_transfer_out_keeps_nothing_back_meanwhile_I_O_19()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        TestRequest[] requests = NewReads(1);
        using TestRequest own = TestRequest.Read(0, 1);
        using (SubmissionPlug.Begin())
        {
            device.Submit(requests[0]);
            own.WhenCompleted = () => Assert.False(SubmissionPlug.IsKeeping);
            DeviceBoundary.Execute(device, own);
            Assert.Equal(1, own.Completions);
            requests[0].Wait();
        }

        Finish(requests);
        device.Close();
    }

    [RingFact]
    public void Code_of_a_hosts_device_runs_unplugged_I_O_19()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        TestRequest[] requests = NewReads(3);
        WaitingDevice waiting = new(device)
        {
            OnSubmit = () =>
            {
                // What was kept back before, and what is asked for from here on.
                requests[0].Wait();
                device.Submit(requests[1]);
                requests[1].Wait();
            },
        };
        using TestRequest foreign = TestRequest.Read(0, 1);
        using (SubmissionPlug.Begin())
        {
            device.Submit(requests[0]);
            DeviceBoundary.Submit(waiting, foreign);
            foreign.Wait();
            device.Submit(requests[2]);
            Assert.True(SubmissionPlug.IsKeeping);
        }

        Finish(requests);
        device.Close();
    }

    [RingFact]
    public void A_device_that_only_passes_requests_on_may_have_them_kept_back_I_O_19()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        PassingDevice passing = new(device);
        TestRequest[] requests = NewReads(2);
        using (SubmissionPlug.Begin())
        {
            DeviceBoundary.Submit(device, requests[0]);
            DeviceBoundary.Submit(passing, requests[1]);
            Assert.True(SubmissionPlug.IsKeeping);
            Assert.Equal(0, engine.InFlight);
        }

        Finish(requests);
        device.Close();
    }

    [RingFact]
    public void A_continuation_on_a_plugged_thread_runs_unplugged_I_O_19()
    {
        using StorageCacheFile test = new(_directory.File("pages"), pages: 64, inline: true);
        Mapping mapping = test.Mapping;
        PageWriteLease held = mapping.Write(1);
        Task reader = BlockAsync();
        Assert.False(reader.IsCompleted);
        using (SubmissionPlug.Begin())
        {
            mapping.Prefetch(10, 1);
            Assert.True(SubmissionPlug.IsKeeping);

            // The reader goes on in here, and waits for the page that was kept back and for one of its own.
            held.Dispose();
            Assert.True(reader.IsCompletedSuccessfully);
            mapping.Prefetch(12, 1);
            Assert.True(SubmissionPlug.IsKeeping);
        }

        void WaitInAWayOfItsOwn(long page)
        {
            SpinWait spin = default;
            PageReadLease lease;
            while (!mapping.TryRead(page, out lease))
            {
                spin.SpinOnce();
            }

            lease.Dispose();
        }

        async Task BlockAsync()
        {
            (await mapping.ReadAsync(1).ConfigureAwait(false)).Dispose();
            Assert.False(SubmissionPlug.IsKeeping);
            mapping.Prefetch(11, 1);
            Assert.False(SubmissionPlug.IsKeeping);
            WaitInAWayOfItsOwn(10);
            WaitInAWayOfItsOwn(11);
        }
    }

    [RingFact]
    public void What_is_kept_back_when_its_engine_or_file_is_closed_fails_I_O_3()
    {
        RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        FileBlockDevice closed = NewFile(engine);
        TestRequest[] requests = NewReads(4);
        using (SubmissionPlug.Begin())
        {
            closed.Submit(requests[0]);
            closed.Close();
        }

        using (SubmissionPlug.Begin())
        {
            Array.ForEach(requests[1..], device.Submit);
            engine.Dispose();
        }

        Array.ForEach(requests, r => r.Wait());
        Assert.All(requests, r => Assert.Equal(1, r.Completions));
        Assert.All(requests, r => Assert.Contains("closed", r.Error!.Message, StringComparison.Ordinal));
        Array.ForEach(requests, r => r.Dispose());
        device.Close();
    }

    [Fact]
    public void Devices_that_gain_nothing_from_a_plug_take_requests_in_at_once()
    {
        using ThreadIoEngine engine = new(maximumThreads: 1);
        FileBlockDevice file = NewFile(engine);
        MemoryBlockDevice memory = new("memory", length: 8 * Page);
        foreach (IBlockDevice device in new IBlockDevice[] { file, memory })
        {
            using TestRequest request = TestRequest.Read(0, 1);
            using (SubmissionPlug.Begin())
            {
                device.Submit(request);
                Assert.False(SubmissionPlug.IsKeeping);
                request.Wait();
            }
        }

        file.Close();
    }

    [RingFact]
    public void Plugging_allocates_nothing_in_steady_state_I_O_11()
    {
        using RingIoEngine engine = new(depth: 4, maximumThreads: 1);
        FileBlockDevice device = NewFile(engine);
        using TestRequest request = new(1);
        void Rounds(int count)
        {
            for (int i = 0; i < count; i++)
            {
                request.PrepareRead(0, 1);
                using (SubmissionPlug.Begin())
                {
                    device.Submit(request);
                }

                request.Wait();
            }
        }

        Rounds(100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Rounds(100);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 99);
        device.Close();
    }

    private static TestRequest[] NewReads(int count) => [.. Enumerable.Range(0, count).Select(i => TestRequest.Read(i % 8 * (long)Page, 1))];

    private static void Finish(TestRequest[] requests)
    {
        foreach (TestRequest request in requests)
        {
            request.Wait();
            Assert.Null(request.Error);
            Assert.Equal(1, request.Completions);
            request.Dispose();
        }
    }

    private FileBlockDevice NewFile(IIoEngine engine)
    {
        FileBlockDevice device = FileBlockDevice.Open(
            _directory.File(Path.GetRandomFileName()), FileOpenMode.CreateNew, isReadOnly: false, Page, engine);
        using TestRequest write = TestRequest.Write(0, new byte[8 * Page]).ExecuteOn(device);
        Assert.Null(write.Error);
        return device;
    }

    /// <summary>A cache over a file and a ring.</summary>
    private sealed class StorageCacheFile : IDisposable
    {
        private readonly PageCache _cache;

        public StorageCacheFile(string path, int pages, bool inline)
        {
            File.WriteAllBytes(path, new byte[pages * Page]);
            _cache = new PageCache(new PageCacheOptions
            {
                MemoryLimit = TestCache.Smallest * 2,
                IoEngine = IoEngine.IoUring,
                AllowSynchronousContinuations = inline,
            });
            Mapping = _cache.OpenAsync(path).AsTask().GetAwaiter().GetResult();
        }

        public Mapping Mapping { get; }

        public void Dispose() => _cache.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    /// <summary>A device of the host's own that does something before it passes a request on.</summary>
    private sealed class WaitingDevice(IBlockDevice device) : OuterDevice(device)
    {
        public required Action OnSubmit { get; init; }

        public override void Submit(BlockRequest request)
        {
            OnSubmit();
            base.Submit(request);
        }
    }

    /// <summary>A device that does nothing else.</summary>
    private sealed class PassingDevice(IBlockDevice device) : OuterDevice(device), IPluggableDevice;

    /// <summary>A device that passes all requests on to another.</summary>
    private abstract class OuterDevice(IBlockDevice device) : IBlockDevice
    {
        public string Name => device.Name;

        public int Alignment => device.Alignment;

        public long Length => device.Length;

        public bool IsReadOnly => device.IsReadOnly;

        public virtual void Submit(BlockRequest request) => device.Submit(request);

        public void Execute(BlockRequest request) => device.Execute(request);

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => device.SetLengthAsync(length, cancellationToken);

        public ValueTask DisposeAsync() => device.DisposeAsync();
    }
}
