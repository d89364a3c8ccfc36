using StorageCache.IO;

namespace StorageCache.Tests.Frames;

/// <summary>A read into a frame.</summary>
internal sealed unsafe class FrameRead() : BlockRequest(1), IDisposable
{
    private readonly ManualResetEventSlim _completed = new();

    public IOException? Error { get; private set; }

    /// <summary>Submits, and waits.</summary>
    public void Run(IBlockDevice device, long offset, byte* memory, int bytes)
    {
        _completed.Reset();
        Reset(BlockOperation.Read, offset);
        Append(new BlockSegment(memory, bytes));
        device.Submit(this);
        _completed.Wait();
    }

    public void Dispose() => _completed.Dispose();

    protected override void OnCompleted(int bytesTransferred, IOException? error)
    {
        Error = error;
        _completed.Set();
    }
}
