using StorageCache.IO;
using StorageCache.IO.Ring;

namespace StorageCache.Waiting;

/// <summary>Rids a thread that is about to block of the I/O that others, or it itself, would wait for in vain (I/O-18, I/O-19).</summary>
internal static class BlockingNotice
{
    /// <summary>To be called before the calling thread blocks.</summary>
    public static void Announce()
    {
        SubmissionPlug.Flush();
        RingIoEngine.HandLoopOver();
    }
}
