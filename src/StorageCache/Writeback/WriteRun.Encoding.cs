using System.Diagnostics;
using StorageCache.Frames;
using StorageCache.IO;

namespace StorageCache.Writeback;

/// <content>
/// The write of a mapping with a codec: its pages are encoded into bounce frames, of which it may have to wait for the first; if it gets
/// fewer than it has pages, it goes in several transfers, one after the other (PC-8).
/// </content>
internal sealed unsafe partial class WriteRun
{
    /// <summary>The bounce frames; made for the first write that needs them, and kept.</summary>
    private uint[] _bounce = [];

    /// <summary>Pages that have been written, while it goes in several transfers.</summary>
    private int _encoded;

    /// <summary>Bounce frames that the write has.</summary>
    public int BounceCount { get; private set; }

    /// <summary>How many it has use for.</summary>
    public int BounceWanted => Count - BounceCount;

    /// <summary>Next write that waits for a bounce frame. Guarded by the lock of those.</summary>
    public WriteRun? NextWaiting { get; set; }

    /// <summary>Gives the write a bounce frame.</summary>
    public void AddBounce(uint frame)
    {
        if (_bounce.Length == 0)
        {
            _bounce = new uint[_frames.Length];
        }

        _bounce[BounceCount++] = frame;
    }

    /// <summary>Takes a bounce frame back.</summary>
    public uint TakeBounce() => _bounce[--BounceCount];

    /// <summary>Encodes as many pages as there are bounce frames for, and submits them; later, if there are none.</summary>
    private void SubmitEncoded()
    {
        if (BounceCount == 0 && !Mapping.Core.WriteBack.Bounce.TryTake(this))
        {
            // Whoever gives some back submits it.
            return;
        }

        int pages = Math.Min(Count - _encoded, BounceCount);
        for (int i = 0; i < pages; i++)
        {
            if (!Mapping.TryEncode(FirstPage + _encoded + i, _frames[_encoded + i], _bounce[i], out IOException? error))
            {
                Mapping.Core.WriteBack.Bounce.Return(this);
                Mapping.CompleteWrite(this, 0, error);
                return;
            }
        }

        FramePool frames = Mapping.Core.Frames;
        Reset(BlockOperation.Write, (FirstPage + _encoded) * frames.PageSize);
        for (int i = 0; i < pages; i++)
        {
            // All of a page or nothing of it: the end of a file with a codec lies between pages (PC-5).
            int bytes = (int)Math.Clamp(EndOfFile - ((FirstPage + _encoded + i) * frames.PageSize), 0, frames.PageSize);
            Debug.Assert(bytes == 0 || bytes == frames.PageSize, "an encoded page is stored whole (PC-5)");
            Append(new BlockSegment(frames.Address(_bounce[i]), bytes));
        }

        DeviceBoundary.Submit(Mapping.Device, this);
    }

    private void CompleteEncoded(IOException? error)
    {
        _encoded += Math.Min(Count - _encoded, BounceCount);
        if (error is null && _encoded < Count)
        {
            // From another thread: the device may complete each transfer within its submission.
            SubmitElsewhere();
            return;
        }

        Mapping.Core.WriteBack.Bounce.Return(this);
        Mapping.CompleteWrite(this, error is null ? Count << Mapping.Core.PageShift : 0, error);
    }
}
