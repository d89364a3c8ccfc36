using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Memory;

/// <summary>Where pages lie: two that share a frame have one address.</summary>
internal static unsafe class FrameAddresses
{
    /// <summary>The address of a page's bytes at this moment.</summary>
    public static nint Of(Mapping mapping, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        return (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(lease.Span));
    }

    /// <summary>How many frames the first pages of some mappings have together.</summary>
    public static int CountDistinct(IEnumerable<Mapping> mappings, int pages)
    {
        HashSet<nint> addresses = [];
        foreach (Mapping mapping in mappings)
        {
            for (int page = 0; page < pages; page++)
            {
                addresses.Add(Of(mapping, page));
            }
        }

        return addresses.Count;
    }
}
