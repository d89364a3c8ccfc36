using StorageCache.IO;

namespace StorageCache.Waiting;

/// <summary>Tells a thread's duty that the thread is about to block, and sends off what the thread keeps back (I/O-18, I/O-19).</summary>
internal static class BlockingNotice
{
    [ThreadStatic]
    private static IBlockable? s_duty;

    /// <summary>Gives the calling thread a duty, or takes it away.</summary>
    public static void Set(IBlockable? duty) => s_duty = duty;

    /// <summary>To be called before the calling thread blocks.</summary>
    public static void Announce()
    {
        SubmissionPlug.Flush();
        s_duty?.OnBlocking();
    }
}
