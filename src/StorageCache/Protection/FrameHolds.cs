using System.Diagnostics;
using StorageCache.Frames;

namespace StorageCache.Protection;

/// <summary>How often each reason holds a frame's bytes still: four counts of 16 bits in one word (<see cref="FrameDescriptor.Holds"/>).</summary>
internal static unsafe class FrameHolds
{
    private const int BitsPerCount = 16;
    private const ulong CountMask = (1 << BitsPerCount) - 1;

    /// <summary>How many reasons hold frames; sharing does not, it shows in the owners.</summary>
    private const int Reasons = 4;

    /// <summary>Holds once more. Returns false, and changes nothing, if the count is full.</summary>
    public static bool TryAdd(FrameDescriptor* frame, ProtectionReason reason)
    {
        int shift = ShiftOf(reason);
        ulong holds = Volatile.Read(ref frame->Holds);
        while ((holds >> shift & CountMask) != CountMask)
        {
            ulong seen = Interlocked.CompareExchange(ref frame->Holds, holds + (1UL << shift), holds);
            if (seen == holds)
            {
                return true;
            }

            holds = seen;
        }

        return false;
    }

    /// <summary>Ends one hold. Returns whether there is none left.</summary>
    public static bool Remove(FrameDescriptor* frame, ProtectionReason reason)
    {
        int shift = ShiftOf(reason);
        ulong after = Interlocked.Add(ref frame->Holds, 0 - (1UL << shift));
        Debug.Assert((after >> shift & CountMask) != CountMask, "protections are balanced (P-2)");
        return after == 0;
    }

    /// <summary>Whether anybody holds the frame.</summary>
    public static bool IsHeld(FrameDescriptor* frame) => Volatile.Read(ref frame->Holds) != 0;

    /// <summary>The first reason that holds the frame, in the order of <see cref="ProtectionReason"/>; sharing if none does.</summary>
    public static ProtectionReason ReasonOf(FrameDescriptor* frame)
    {
        ulong holds = Volatile.Read(ref frame->Holds);
        for (int reason = 0; reason < Reasons; reason++)
        {
            if ((holds >> (reason * BitsPerCount) & CountMask) != 0)
            {
                return (ProtectionReason)reason;
            }
        }

        return ProtectionReason.Sharing;
    }

    private static int ShiftOf(ProtectionReason reason)
    {
        Debug.Assert((int)reason < Reasons, "sharing holds nothing");
        return (int)reason * BitsPerCount;
    }
}
