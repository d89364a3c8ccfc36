using StorageCache.Platform.Native;
using Xunit;

namespace StorageCache.Tests.Platform;

/// <summary>A ring for a test; it has nothing left to do when it goes.</summary>
internal sealed unsafe class TestRing : IDisposable
{
    public const long Second = 1_000_000_000;
    private readonly NativeRing* _ring;

    public TestRing(uint entries, uint completionEntries = 0, RingFlags flags = RingFlags.None)
    {
        NativeFact.Needs(NativeCapabilities.Ring);
        NativeRing* ring;
        Assert.Equal(0, NativeMethods.RingCreate(entries, completionEntries, flags, &ring));
        _ring = ring;
    }

    public NativeRing* Handle => _ring;

    public RingProperties Properties
    {
        get
        {
            RingProperties properties;
            Assert.Equal(0, NativeMethods.RingInfo(_ring, &properties));
            return properties;
        }
    }

    public static RingRequest Nop(ulong userData) => new() { UserData = userData };

    public static RingRequest Transfer(RingOperation operation, int file, ulong offset, void* memory, uint length, ulong userData = 0) => new()
    {
        Operation = operation,
        File = file,
        Offset = offset,
        Address = (ulong)memory,
        Length = length,
        UserData = userData,
    };

    public void Dispose() => Assert.Equal(0, NativeMethods.RingDestroy(_ring));

    /// <summary>Prepares and submits one request.</summary>
    public void Submit(RingRequest request)
    {
        Assert.Equal(1, NativeMethods.RingPrepare(_ring, &request, 1));
        Assert.Equal(1, NativeMethods.RingEnter(_ring, 0, 0));
    }

    /// <summary>Waits for a completion and takes it.</summary>
    public RingCompletion Next()
    {
        RingCompletion completion;
        while (NativeMethods.RingReap(_ring, &completion, 1) == 0)
        {
            // The runtime interrupts threads by signals, for a garbage collection among others.
            int result = NativeMethods.RingWait(_ring, 1, 10 * Second);
            Assert.True(result is 0 or -StorageCache.Platform.Errno.EINTR, $"{result}");
        }

        return completion;
    }

    /// <summary>Submits one request, the only one, and returns its result.</summary>
    public int Run(RingRequest request)
    {
        Submit(request);
        RingCompletion completion = Next();
        Assert.Equal(request.UserData, completion.UserData);
        return completion.Result;
    }
}
