using StorageCache.IO;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>I/O-15, for what a device says of its extents.</summary>
public sealed class ExtentBoundaryTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();
    private readonly IIoEngine _engine = TestEngines.Create(threads: 1);
    private readonly FileBlockDevice _source;

    public ExtentBoundaryTests() =>
        _source = FileBlockDevice.Open(_directory.File("source"), FileOpenMode.CreateNew, isReadOnly: false, 4096, _engine);

    public void Dispose()
    {
        _engine.Dispose();
        _source.Close();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_device_throws_is_an_error_of_its_own(bool inTheTask)
    {
        UnrulyDevice device = new(inTheTask) { Fault = new InvalidOperationException("No.") };
        BlockIOException error = await Assert.ThrowsAsync<BlockIOException>(() => DeviceBoundary.GetExtentsAsync(device, 0, 1, default));
        Assert.Equal("Cannot get the extents of 'unruly': the device threw InvalidOperationException (No).", error.Message);
        Assert.Equal(Errno.EIO, error.Errno);
        Assert.Same(device.Fault, error.InnerException);
        error = await Assert.ThrowsAsync<BlockIOException>(() => DeviceBoundary.CloneFromAsync(device, _source, default));
        Assert.StartsWith($"Cannot clone '{_source.Name}' to 'unruly': the device threw", error.Message, StringComparison.Ordinal);

        device.Fault = new IOException();
        Assert.Same(device.Fault, await Assert.ThrowsAsync<IOException>(() => DeviceBoundary.GetExtentsAsync(device, 0, 1, default)));
        Assert.Same(device.Fault, await Assert.ThrowsAsync<IOException>(() => DeviceBoundary.CloneFromAsync(device, _source, default)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_cancellation_is_one_only_if_somebody_has_cancelled(bool inTheTask)
    {
        UnrulyDevice device = new(inTheTask) { Fault = new OperationCanceledException() };
        CancellationToken cancelled = new(canceled: true);
        await Assert.ThrowsAsync<BlockIOException>(() => DeviceBoundary.GetExtentsAsync(device, 0, 1, default));
        await Assert.ThrowsAsync<BlockIOException>(() => DeviceBoundary.CloneFromAsync(device, _source, default));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DeviceBoundary.GetExtentsAsync(device, 0, 1, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DeviceBoundary.CloneFromAsync(device, _source, cancelled));
    }

    /// <param name="inTheTask">Whether it throws later, rather than in the call.</param>
    private sealed class UnrulyDevice(bool inTheTask) : IExtentDevice
    {
        public required Exception Fault { get; set; }

        public ExtentSpace? ExtentSpace => null;

        public string Name => "unruly";

        public int Alignment => 1;

        public long Length => 0;

        public bool IsReadOnly => false;

        public void Submit(BlockRequest request) => throw Fault;

        public void Execute(BlockRequest request) => throw Fault;

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => throw Fault;

        public ValueTask<Extent[]> GetExtentsAsync(long offset, long length, CancellationToken cancellationToken) =>
            inTheTask ? ValueTask.FromException<Extent[]>(Fault) : throw Fault;

        public ValueTask<CloneOutcome> CloneFromAsync(FileBlockDevice source, CancellationToken cancellationToken) =>
            inTheTask ? ValueTask.FromException<CloneOutcome>(Fault) : throw Fault;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
