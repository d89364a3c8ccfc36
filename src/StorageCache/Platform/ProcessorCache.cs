using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace StorageCache.Platform;

/// <summary>Hints to the processor about memory that is going to be used.</summary>
internal static unsafe class ProcessorCache
{
    /// <summary>
    /// Begins to bring a cache line near, without waiting for it. Any address will do: one that is not there is ignored. Does nothing
    /// where the processor has no such instruction.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }
}
