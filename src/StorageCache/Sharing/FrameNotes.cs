using StorageCache.Frames;
using StorageCache.Platform;

namespace StorageCache.Sharing;

/// <summary>A note for each frame that was ever used, charged to the memory limit as it grows. For one thread.</summary>
internal sealed unsafe class FrameNotes
{
    private const int CommitStep = 4096;

    private readonly FramePool _frames;
    private readonly MemoryRegion _memory;
    private long _committed;

    /// <exception cref="InsufficientMemoryException">There is no address space for it.</exception>
    public FrameNotes(FramePool frames)
    {
        _frames = frames;
        _memory = MemoryRegion.Reserve((frames.MaximumFrames + 1L) * FrameNote.SizeInBytes, hugePages: false);
    }

    /// <summary>The note for a frame, or null where there is no room for it.</summary>
    public FrameNote* Of(uint frame)
    {
        long needed = (frame + 1L) * FrameNote.SizeInBytes;
        while (needed > _committed)
        {
            if (!TryGrow())
            {
                return null;
            }
        }

        return (FrameNote*)_memory.Base + frame;
    }

    private bool TryGrow()
    {
        if (!_frames.TryTakeRoom(CommitStep))
        {
            return false;
        }

        try
        {
            _memory.Commit(_committed, CommitStep);
            _committed += CommitStep;
            return true;
        }
        catch (InsufficientMemoryException)
        {
            _frames.ReturnRoom(CommitStep);
            return false;
        }
    }
}
