using StorageCache.IO;
using StorageCache.IO.Ring;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.IO.Faults;

/// <summary>A kernel that has no resources for a request at the moment.</summary>
public sealed class BusyKernelTests
{
    private const int Page = TestRequest.PageSize;

    /// <summary>While the loop always finds something complete, so that none of its waits runs out.</summary>
    [RingFact]
    public void What_the_kernel_was_too_busy_for_is_tried_again_while_others_keep_completing_I_O_21()
    {
        using FuseFile busy = FuseFile.Create(1);
        using MountedFileSystem memory = MountedFileSystem.Tmpfs(1 << 20);
        using RingIoEngine engine = new(depth: 8, maximumThreads: 1);
        FileBlockDevice slow = FileBlockDevice.Open(busy.Path, FileOpenMode.Open, isReadOnly: false, Page, engine);
        FileBlockDevice quick = FileBlockDevice.Open(memory.Path + "/file", FileOpenMode.CreateNew, isReadOnly: false, Page, engine);
        int refusals = 0;
        busy.Fault = call => call.Operation == BlockOperation.Flush && refusals++ < 2 ? Errno.EAGAIN : 0;

        // Two that take turns: one is submitted while the other completes.
        using TestRequest flush = TestRequest.Flush();
        using TestRequest one = TestRequest.Read(0, 1);
        using TestRequest other = TestRequest.Read(0, 1);
        bool isDone = false;
        bool isGivenUp = false;
        flush.WhenCompleted = () => isDone = true;
        one.WhenCompleted = () => GoOn(other);
        other.WhenCompleted = () => GoOn(one);
        quick.Submit(one);
        slow.Submit(flush);
        try
        {
            flush.Wait();
        }
        finally
        {
            Volatile.Write(ref isGivenUp, true);
            engine.Dispose();
        }

        Assert.Null(flush.Error);
        Assert.Equal(3, refusals);
        slow.Close();
        quick.Close();

        void GoOn(TestRequest next)
        {
            if (!isDone && !Volatile.Read(ref isGivenUp))
            {
                next.PrepareRead(0, 1);
                quick.Submit(next);
            }
        }
    }
}
