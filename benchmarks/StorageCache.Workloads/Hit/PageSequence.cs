namespace StorageCache.Workloads.Hit;

/// <summary>
/// Page numbers in the order in which they are asked for, computed beforehand so that choosing a page costs the measured
/// loop one sequential 4-byte load.
/// </summary>
internal static class PageSequence
{
    /// <summary>Every page is as likely as every other.</summary>
    public static int[] Uniform(int pageCount, int length, int seed)
    {
        Random random = new(seed);
        int[] pages = new int[length];
        for (int i = 0; i < pages.Length; i++)
        {
            pages[i] = random.Next(pageCount);
        }

        return pages;
    }

    /// <summary>
    /// The page of rank r is chosen with a probability proportional to 1 / r^<paramref name="exponent"/>. Ranks are
    /// scattered over the pages, so popular pages are not neighbours; all sequences of one
    /// <paramref name="scatterSeed"/> agree on which pages are popular.
    /// </summary>
    public static int[] Zipf(int pageCount, double exponent, int length, int seed, int scatterSeed)
    {
        double[] cumulative = new double[pageCount];
        double total = 0;
        for (int rank = 0; rank < pageCount; rank++)
        {
            total += 1 / Math.Pow(rank + 1, exponent);
            cumulative[rank] = total;
        }

        int[] pageOfRank = Permutation(pageCount, scatterSeed);
        Random random = new(seed);
        int[] pages = new int[length];
        for (int i = 0; i < pages.Length; i++)
        {
            int rank = Array.BinarySearch(cumulative, random.NextDouble() * total);
            pages[i] = pageOfRank[Math.Min(rank < 0 ? ~rank : rank, pageCount - 1)];
        }

        return pages;
    }

    /// <summary>The numbers below <paramref name="count"/> in random order.</summary>
    public static int[] Permutation(int count, int seed)
    {
        int[] numbers = [.. Enumerable.Range(0, count)];
        new Random(seed).Shuffle(numbers);
        return numbers;
    }
}
