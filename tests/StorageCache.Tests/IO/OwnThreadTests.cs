using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO;

/// <remarks>T-1.</remarks>
public class OwnThreadTests
{
    [Fact]
    public async Task Work_goes_on_on_the_thread_and_those_who_await_it_elsewhere()
    {
        OwnThread own = new("own", BackgroundThreads.Instance);
        own.Start();
        TaskCompletionSource wait = new();
        Thread? after = null;
        SynchronizationContext? before = SynchronizationContext.Current;
        Task work = own.Run(async () =>
        {
            Assert.Same(own, SynchronizationContext.Current);
            await wait.Task.ConfigureAwait(true);
            after = Thread.CurrentThread;
        });
        Assert.Same(before, SynchronizationContext.Current);
        Task<Thread> awaiting = Task.Run(async () =>
        {
            await work.ConfigureAwait(false);
            return Thread.CurrentThread;
        });
        wait.SetResult();
        Thread foreign = await awaiting.InTime();
        Assert.Equal("own", after!.Name);
        Assert.NotSame(after, foreign);
        own.Stop();
    }

    [Fact]
    public async Task What_comes_after_the_end_is_run_all_the_same()
    {
        OwnThread own = new("own", BackgroundThreads.Instance);
        own.Start();
        List<int> order = [];
        for (int i = 0; i < 100; i++)
        {
            own.Post(state => order.Add((int)state!), i);
        }

        own.Stop();
        Assert.Equal(Enumerable.Range(0, 100), order);
        TaskCompletionSource done = new();
        own.Post(_ => done.SetResult(), null);
        await done.Task.InTime();
        own.Stop();
    }

    [Fact]
    public async Task A_device_is_called_outside_the_context()
    {
        OwnThread own = new("own", BackgroundThreads.Instance);
        own.Start();
        ContextDevice device = new();
        using ScratchDirectory directory = new();
        using IIoEngine engine = TestEngines.Create(threads: 1);
        FileBlockDevice file = FileBlockDevice.Open(directory.File("file"), FileOpenMode.CreateNew, isReadOnly: false, 4096, engine);
        await own.Run(async () =>
        {
            using TestRequest request = TestRequest.Flush();
            DeviceBoundary.Submit(device, request);
            Assert.Same(own, SynchronizationContext.Current);
            request.Prepare(BlockOperation.Flush, 0, 0);
            DeviceBoundary.Execute(device, request);
            Assert.Same(own, SynchronizationContext.Current);
            await DeviceBoundary.SetLengthAsync(device, 1).ConfigureAwait(true);
            Assert.Same(own, SynchronizationContext.Current);
            await DeviceBoundary.GetExtentsAsync(device, 0, 1, default).ConfigureAwait(true);
            Assert.Same(own, SynchronizationContext.Current);
            await DeviceBoundary.CloneFromAsync(device, file, default).ConfigureAwait(true);
            Assert.Same(own, SynchronizationContext.Current);
        }).InTime();
        file.Close();
        Assert.Equal(5, device.Seen.Count);
        Assert.All(device.Seen, Assert.Null);
        own.Stop();
    }

    [Fact]
    public async Task Foreign_continuations_run_outside_the_context()
    {
        // The flush takes the latch, and its end gives it to the reader whose continuation runs in place.
        await using TestCache test = await TestCache.OpenAsync(inline: true);
        test.Fill(5, 1);
        PageWriteLease held = test.Mapping.Write(5);
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.WaitForWaiters(5, 1);
        Task<SynchronizationContext?> writer = WriteAsync();
        test.WaitForWaiters(5, 2);
        held.Dispose();
        Assert.Null(await writer.InTime());
        await flush.InTime();

        async Task<SynchronizationContext?> WriteAsync()
        {
            using PageWriteLease lease = await test.Mapping.WriteAsync(5).ConfigureAwait(false);
            return SynchronizationContext.Current;
        }
    }

    /// <summary>Notes the context in which it is called.</summary>
    private sealed class ContextDevice : IExtentDevice
    {
        public List<SynchronizationContext?> Seen { get; } = [];

        public string Name => "context";

        public int Alignment => 1;

        public long Length => 0;

        public bool IsReadOnly => false;

        public ExtentSpace? ExtentSpace => null;

        public void Submit(BlockRequest request)
        {
            Seen.Add(SynchronizationContext.Current);
            request.Complete(0);
        }

        public void Execute(BlockRequest request) => Submit(request);

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
        {
            Seen.Add(SynchronizationContext.Current);
            return ValueTask.CompletedTask;
        }

        public ValueTask<Extent[]> GetExtentsAsync(long offset, long length, CancellationToken cancellationToken)
        {
            Seen.Add(SynchronizationContext.Current);
            return ValueTask.FromResult<Extent[]>([]);
        }

        public ValueTask<CloneOutcome> CloneFromAsync(FileBlockDevice source, CancellationToken cancellationToken)
        {
            Seen.Add(SynchronizationContext.Current);
            return default;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
