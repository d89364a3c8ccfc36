using System.Numerics;

namespace StorageCache.Sharing;

/// <summary>A set of page numbers below a bound, a bit for each. Pages are only ever added. Thread-safe.</summary>
internal sealed class PageSet
{
    private const int BitsPerWord = 64;

    private readonly ulong[] _words;

    /// <param name="pages">Pages have numbers below this.</param>
    public PageSet(long pages)
    {
        Pages = pages;
        _words = new ulong[(pages + BitsPerWord - 1) / BitsPerWord];
    }

    /// <summary>Pages have numbers below this; those above are never in the set.</summary>
    public long Pages { get; }

    /// <summary>Bytes that a set takes.</summary>
    public static long BytesFor(long pages) => (pages + BitsPerWord - 1) / BitsPerWord * sizeof(ulong);

    /// <summary>Whether a page is in the set.</summary>
    public bool Contains(long page) =>
        page < Pages && (WordAt(page) & Bit(page)) != 0;

    /// <summary>The first page from one to an end that is in the set; the end if there is none.</summary>
    public long NextIn(long page, long end)
    {
        long bound = Math.Min(end, Pages);
        while (page < bound)
        {
            ulong rest = WordAt(page) >> (int)(page % BitsPerWord);
            if (rest != 0)
            {
                return Math.Min(page + BitOperations.TrailingZeroCount(rest), end);
            }

            page = (page | (BitsPerWord - 1)) + 1;
        }

        return end;
    }

    /// <summary>The first page from one to an end that is not in the set; the end if there is none.</summary>
    public long NextOut(long page, long end)
    {
        long bound = Math.Min(end, Pages);
        while (page < bound)
        {
            ulong rest = ~WordAt(page) >> (int)(page % BitsPerWord);
            if (rest != 0)
            {
                return Math.Min(page + BitOperations.TrailingZeroCount(rest), end);
            }

            page = (page | (BitsPerWord - 1)) + 1;
        }

        return Math.Min(page, end);
    }

    /// <summary>Adds a page, if it is below the bound.</summary>
    public void Add(long page)
    {
        if (page < Pages && !Contains(page))
        {
            Interlocked.Or(ref _words[page / BitsPerWord], Bit(page));
        }
    }

    /// <summary>Adds the pages from one to an end, as far as they are below the bound.</summary>
    public void AddRange(long page, long end)
    {
        long bound = Math.Min(end, Pages);
        while (page < bound)
        {
            long word = page / BitsPerWord;
            long wordEnd = Math.Min((word + 1) * BitsPerWord, bound);
            ulong bits = (ulong.MaxValue >> (int)(BitsPerWord - (wordEnd - page))) << (int)(page % BitsPerWord);
            Interlocked.Or(ref _words[word], bits);
            page = wordEnd;
        }
    }

    private ulong WordAt(long page) => Volatile.Read(ref _words[page / BitsPerWord]);

    private static ulong Bit(long page) => 1UL << (int)(page % BitsPerWord);
}
