using System.Runtime.InteropServices;
using StorageCache.IO;
using Xunit;

namespace StorageCache.Tests.IO;

public class OpenDeviceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(TestEngines.Each), MemberType = typeof(TestEngines))]
    public async Task What_is_written_to_a_device_is_in_its_file_and_takes_no_page(IoEngine engine)
    {
        using ScratchDirectory directory = new();
        string path = directory.File("log");
        await using PageCache cache = Make(engine);
        IBlockDevice device = await cache.OpenDeviceAsync(path, cancellationToken: Cancellation);
        byte[] bytes = Enumerable.Range(0, 3 * 4096).Select(static i => (byte)(i * 7)).ToArray();
        using (Transfer transfer = new(bytes.Length))
        {
            bytes.CopyTo(transfer.Span);

            // Segments of unequal length, and none of them a page.
            await transfer.RunAsync(device, BlockOperation.Write, 4096, 8192, 4096);
            await transfer.RunAsync(device, BlockOperation.Flush, 0);
            transfer.Span.Clear();
            await transfer.RunAsync(device, BlockOperation.Read, 4096, 4096, 8192);
            Assert.True(transfer.Span.SequenceEqual(bytes));
        }

        Assert.Equal(4096 + bytes.Length, device.Length);
        Assert.Equal(0, cache.GetStatistics().ResidentPages);
        await device.DisposeAsync();
        Assert.Equal(bytes, (await File.ReadAllBytesAsync(path, Cancellation))[4096..]);
    }

    [Fact]
    public async Task A_file_is_open_once_as_a_device_or_as_a_mapping()
    {
        using ScratchDirectory directory = new();
        string path = directory.File("log");
        await using PageCache cache = Make(IoEngine.Threads);
        await using PageCache other = Make(IoEngine.Threads);
        IBlockDevice device = await cache.OpenDeviceAsync(path, MappingMode.CreateNew, cancellationToken: Cancellation);
        await Assert.ThrowsAsync<MappingLockedException>(async () => await cache.OpenDeviceAsync(path, cancellationToken: Cancellation));
        await Assert.ThrowsAsync<MappingLockedException>(async () => await other.OpenDeviceAsync(path, cancellationToken: Cancellation));
        await Assert.ThrowsAsync<MappingLockedException>(async () => await cache.OpenAsync(path, cancellationToken: Cancellation));
        await Assert.ThrowsAsync<BlockIOException>(async () => await cache.OpenDeviceAsync(path, MappingMode.CreateNew, cancellationToken: Cancellation));
        await device.DisposeAsync();
        Mapping mapping = await cache.OpenAsync(path, cancellationToken: Cancellation);
        await Assert.ThrowsAsync<MappingLockedException>(async () => await cache.OpenDeviceAsync(path, cancellationToken: Cancellation));
        await mapping.CloseAsync(Cancellation);
    }

    [Fact]
    public async Task What_cannot_be_opened_says_why()
    {
        using ScratchDirectory directory = new();
        PageCache cache = Make(IoEngine.Threads);
        string absent = directory.File("absent");
        await Assert.ThrowsAsync<FileNotFoundException>(async () => await cache.OpenDeviceAsync(absent, MappingMode.Open, cancellationToken: Cancellation));
        await Assert.ThrowsAsync<FileNotFoundException>(async () => await cache.OpenDeviceAsync(absent, readOnly: true, cancellationToken: Cancellation));
        Assert.False(File.Exists(absent));
        await Assert.ThrowsAsync<ArgumentException>(async () => await cache.OpenDeviceAsync("", cancellationToken: Cancellation));
        await cache.DisposeAsync();
        await Assert.ThrowsAsync<CacheDisposedException>(async () => await cache.OpenDeviceAsync(absent, cancellationToken: Cancellation));
        Assert.False(File.Exists(absent));
    }

    [Fact]
    public async Task A_device_that_is_left_open_is_closed_with_the_cache()
    {
        using ScratchDirectory directory = new();
        string path = directory.File("log");
        PageCache cache = Make(IoEngine.Threads);
        IBlockDevice device = await cache.OpenDeviceAsync(path, cancellationToken: Cancellation);
        await cache.DisposeAsync();
        await using PageCache other = Make(IoEngine.Threads);
        await using IBlockDevice again = await other.OpenDeviceAsync(path, cancellationToken: Cancellation);
        Assert.NotSame(device, again);
        await device.DisposeAsync();
    }

    private static PageCache Make(IoEngine engine) => new(new PageCacheOptions { MemoryLimit = 4 << 20, IoEngine = engine });

    /// <summary>A request of the host's, and its memory.</summary>
    private sealed unsafe class Transfer(int length) : BlockRequest(4), IDisposable
    {
        private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc((nuint)length, 4096);
        private TaskCompletionSource _done = new();

        public Span<byte> Span => new(_memory, length);

        public Task RunAsync(IBlockDevice device, BlockOperation operation, long offset, params ReadOnlySpan<int> segments)
        {
            _done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Reset(operation, offset);
            byte* at = _memory;
            foreach (int segment in segments)
            {
                Append(new BlockSegment(at, segment));
                at += segment;
            }

            device.Submit(this);
            return _done.Task;
        }

        public void Dispose() => NativeMemory.AlignedFree(_memory);

        protected override void OnCompleted(int bytesTransferred, IOException? error)
        {
            if (error is null)
            {
                _done.SetResult();
            }
            else
            {
                _done.SetException(error);
            }
        }
    }
}
