using StorageCache.IO;

namespace StorageCache.Sharing;

/// <summary>Neighbouring pages of two files that lie in the same place.</summary>
/// <param name="First">The first page in the one file.</param>
/// <param name="Second">The first page in the other.</param>
/// <param name="Count">How many pages.</param>
internal readonly record struct CommonPages(long First, long Second, long Count)
{
    /// <summary>
    /// The pages of two files that lie in one place, whole. A page may come more than once: a file may have one block in several places.
    /// </summary>
    /// <param name="first">Extents of the one file.</param>
    /// <param name="second">Extents of the other.</param>
    /// <param name="pageShift">Binary logarithm of the bytes per page.</param>
    public static List<CommonPages> Of(IEnumerable<Extent> first, IEnumerable<Extent> second, int pageShift)
    {
        Extent[] ones = [.. first.OrderBy(extent => extent.Physical)];
        List<Extent> reached = [];
        List<CommonPages> common = [];
        int next = 0;
        foreach (Extent other in second.OrderBy(extent => extent.Physical))
        {
            // A file may have one block in several places, so extents may overlap each other: those of the first file are kept for as long as
            // they may reach into a later one of the second.
            reached.RemoveAll(one => one.Physical + one.Length <= other.Physical);
            for (; next < ones.Length && ones[next].Physical < other.Physical + other.Length; next++)
            {
                reached.Add(ones[next]);
            }

            foreach (Extent one in reached)
            {
                if (TryMeet(one, other, pageShift, out CommonPages pages))
                {
                    common.Add(pages);
                }
            }
        }

        return common;
    }

    /// <summary>What two answers say alike of the shared extents of one file.</summary>
    public static List<Extent> Agreed(Extent[] one, Extent[] two)
    {
        List<Extent> agreed = [];
        int other = 0;
        foreach (Extent extent in one.Where(extent => extent.IsShared))
        {
            while (other < two.Length && two[other].End <= extent.Logical)
            {
                other++;
            }

            for (int i = other; i < two.Length && two[i].Logical < extent.End; i++)
            {
                long first = Math.Max(extent.Logical, two[i].Logical);
                long end = Math.Min(extent.End, two[i].End);
                if (two[i].IsShared && two[i].Physical - two[i].Logical == extent.Physical - extent.Logical)
                {
                    agreed.Add(extent with { Logical = first, Physical = extent.Physical + first - extent.Logical, Length = end - first });
                }
            }
        }

        return agreed;
    }

    /// <summary>Those of the pages that lie before an end in each file.</summary>
    public CommonPages Before(long endInFirst, long endInSecond) =>
        this with { Count = Math.Max(0, Math.Min(Count, Math.Min(endInFirst - First, endInSecond - Second))) };

    private static bool TryMeet(in Extent first, in Extent second, int pageShift, out CommonPages pages)
    {
        pages = default;
        long pageSize = 1L << pageShift;
        long from = Math.Max(first.Physical, second.Physical);
        long to = Math.Min(first.Physical + first.Length, second.Physical + second.Length);
        long inFirst = first.Logical + (from - first.Physical);
        long inSecond = second.Logical + (from - second.Physical);

        // A page of the one has to lie where a page of the other does, and neither where a page begins with other bytes.
        long skip = -inFirst & (pageSize - 1);
        if (((inFirst - inSecond) & (pageSize - 1)) != 0 || to - from - skip < pageSize)
        {
            return false;
        }

        pages = new CommonPages((inFirst + skip) >> pageShift, (inSecond + skip) >> pageShift, (to - from - skip) >> pageShift);
        return true;
    }
}
