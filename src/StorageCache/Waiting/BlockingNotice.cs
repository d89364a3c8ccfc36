using StorageCache.IO;
using StorageCache.IO.Ring;

namespace StorageCache.Waiting;

/// <summary>
/// Rids a thread that is about to block of what others, or it itself, would wait for in vain: requests and resumed waiters that it keeps
/// back, and the work of an I/O engine (I/O-18, I/O-19, W-14).
/// </summary>
internal static class BlockingNotice
{
    /// <summary>To be called before the calling thread blocks.</summary>
    public static void Announce()
    {
        SubmissionPlug.Flush();
        PooledResumption.Flush();
        InlineResumption.HandOver();
        RingIoEngine.HandLoopOver();
        ThreadIoEngine.LeaveHere();
    }
}
