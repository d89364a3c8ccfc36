using StorageCache.Frames;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Frames;

/// <summary>Whether somebody can come to a frame is asked at one moment, not at two (P-6).</summary>
public sealed class FrameReachTests
{
    private const int Rounds = 2_000_000;

    [Fact]
    public unsafe void A_frame_that_is_always_held_by_another_or_to_be_found_is_never_ones_own()
    {
        FrameDescriptor* frame = stackalloc FrameDescriptor[1];
        frame->References = 2;
        bool isOver = false;
        int alone = 0;
        nint address = (nint)frame;
        Together.Run(2, number =>
        {
            FrameDescriptor* descriptor = (FrameDescriptor*)address;
            if (number == 0)
            {
                for (int i = 0; i < Rounds; i++)
                {
                    // Another has it, lets others find it, and leaves; and comes back by finding it, and has nobody else find it.
                    Interlocked.Or(ref descriptor->Marks, FrameMarks.ByExtent);
                    Interlocked.Decrement(ref descriptor->References);
                    Interlocked.Increment(ref descriptor->References);
                    Interlocked.And(ref descriptor->Marks, ~FrameMarks.ByExtent);
                }

                Volatile.Write(ref isOver, true);
            }
            else
            {
                while (!Volatile.Read(ref isOver))
                {
                    alone += FramePool.IsAloneWith(descriptor, references: 1) ? 1 : 0;
                }
            }
        });
        Assert.Equal(0, alone);
        frame->References = 1;
        Assert.True(FramePool.IsAloneWith(frame, references: 1));
        Assert.False(FramePool.IsAloneWith(frame, references: 2));
    }
}
