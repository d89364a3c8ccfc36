using StorageCache.Frames;

namespace StorageCache.Tests.Waiting;

/// <summary>Stands in the frame queue and does something when it is told that it has left it.</summary>
internal sealed class RequeueingWaiter(Action onFrame) : IFrameWaiter
{
    public IFrameWaiter? NextFrameWaiter { get; set; }

    public IFrameWaiter? PreviousFrameWaiter { get; set; }

    public FrameNeed QueuedFor { get; set; }

    public long FrameTurn { get; set; }

    public long FrameTicket { get; set; }

    public bool CanUseFrame => true;

    public bool NeedsRoom => false;

    public long FrameDeadline { get; set; }

    public long OnQueueing() => 0;

    public bool OnFrame(uint frame, long ticket)
    {
        onFrame();
        return true;
    }

    public bool OnRoom(long bytes, long ticket) => false;

    public void OnFrameTimeout(long ticket)
    {
    }
}
