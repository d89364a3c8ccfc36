using System.Diagnostics;
using System.Numerics;
using StorageCache.Platform;

namespace StorageCache.Frames;

/// <summary>
/// Which frames are free: one bit for each, and above them one for each 64 that are not all taken. They are handed out in ascending
/// order, round and round, so that those who take several get neighbours wherever neighbours are free, in whatever order they came
/// free (F-7). Thread-safe, without a lock.
/// </summary>
/// <remarks>
/// The order is that of the next-fit allocator (Knuth, The Art of Computer Programming, volume 1, section 2.5). A frame is promised
/// before it is looked for: the count is lowered first, and raised only after the bit is set, so that there are never fewer bits than
/// promises, and whoever is refused was refused at a moment when nothing was free.
/// </remarks>
internal sealed unsafe class FreeFrames
{
    private const int BitsPerWord = 64;

    /// <summary>Of the kernel's, which gives it page by page: there is address space for many more frames than are ever used, as a rule.</summary>
    private readonly MemoryRegion _memory;

    private readonly ulong* _words;
    private readonly uint _wordCount;
    private readonly ulong[] _summary;

    /// <summary>Free frames that nobody has been promised.</summary>
    private int _count;

    /// <summary>Entries of the summary that were ever used; the others are empty.</summary>
    private int _summaryUsed;

    /// <summary>The word from which the last frame was taken.</summary>
    private uint _cursor;

    /// <param name="maximumFrames">Frames have indices from 1 to this.</param>
    public FreeFrames(uint maximumFrames)
    {
        _wordCount = (maximumFrames / BitsPerWord) + 1;
        _memory = MemoryRegion.Reserve((long)_wordCount * sizeof(ulong), hugePages: false);
        _memory.Commit(0, (long)_wordCount * sizeof(ulong));
        _words = (ulong*)_memory.Base;
        _summary = new ulong[(_wordCount / BitsPerWord) + 1];
    }

    /// <summary>How many frames are free and not promised to anybody.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Frees a frame.</summary>
    public void Add(uint frame)
    {
        uint word = frame / BitsPerWord;
        ulong bit = 1UL << (int)(frame % BitsPerWord);
        ulong before = Interlocked.Or(ref _words[word], bit);
        Debug.Assert((before & bit) == 0, "a frame is freed once (F-3)");
        if (before == 0)
        {
            Announce(word);
        }

        Interlocked.Increment(ref _count);
    }

    /// <summary>Takes a frame: the next free one behind the last that was taken. Zero if none is free.</summary>
    public uint Take()
    {
        int count = Count;
        while (true)
        {
            if (count <= 0)
            {
                return 0;
            }

            int seen = Interlocked.CompareExchange(ref _count, count - 1, count);
            if (seen == count)
            {
                return TakePromised();
            }

            count = seen;
        }
    }

    private uint TakePromised()
    {
        SpinWait spin = default;
        while (true)
        {
            uint start = Volatile.Read(ref _cursor);
            uint frame = FindWord(start, out uint word) || FindUnannounced(out word) ? TakeFrom(word) : 0;
            if (frame != 0)
            {
                if (word != start)
                {
                    Volatile.Write(ref _cursor, word);
                }

                return frame;
            }

            // Others were quicker at that word; somewhere there is one for each who was promised one.
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private uint TakeFrom(uint word)
    {
        ulong bits = Volatile.Read(ref _words[word]);
        while (bits != 0)
        {
            ulong rest = bits & (bits - 1);
            ulong seen = Interlocked.CompareExchange(ref _words[word], rest, bits);
            if (seen == bits)
            {
                if (rest == 0)
                {
                    Retract(word);
                }

                return (word * BitsPerWord) + (uint)BitOperations.TrailingZeroCount(bits);
            }

            bits = seen;
        }

        // Whoever took the last of it may not have come to say so: those who are promised a frame find another word without him.
        Retract(word);
        return 0;
    }

    /// <summary>Says in the summary that a word has bits.</summary>
    private void Announce(uint word)
    {
        int entry = (int)(word / BitsPerWord);
        Interlocked.Or(ref _summary[entry], 1UL << (int)(word % BitsPerWord));
        int used = Volatile.Read(ref _summaryUsed);
        while (used <= entry)
        {
            int seen = Interlocked.CompareExchange(ref _summaryUsed, entry + 1, used);
            if (seen == used)
            {
                return;
            }

            used = seen;
        }
    }

    /// <summary>Says that a word has none, unless somebody has set one meanwhile: he may have said so before this.</summary>
    private void Retract(uint word)
    {
        Interlocked.And(ref _summary[word / BitsPerWord], ~(1UL << (int)(word % BitsPerWord)));
        if (Volatile.Read(ref _words[word]) != 0)
        {
            Announce(word);
        }
    }

    /// <summary>Finds the first word with bits from <paramref name="start"/> on, round once.</summary>
    private bool FindWord(uint start, out uint word)
    {
        int used = Volatile.Read(ref _summaryUsed);
        int entry = (int)(start / BitsPerWord);
        ulong mask = ulong.MaxValue << (int)(start % BitsPerWord);
        for (int looked = 0; looked <= used; looked++)
        {
            ulong words = entry < used ? Volatile.Read(ref _summary[entry]) & mask : 0;
            if (words != 0)
            {
                word = (uint)(entry * BitsPerWord) + (uint)BitOperations.TrailingZeroCount(words);
                return true;
            }

            mask = ulong.MaxValue;
            entry = entry + 1 < used ? entry + 1 : 0;
        }

        word = 0;
        return false;
    }

    /// <summary>Finds a word with bits whoever set them has not come to announce: one who is promised a frame does not wait for that.</summary>
    private bool FindUnannounced(out uint word)
    {
        for (word = 0; word < _wordCount; word++)
        {
            if (Volatile.Read(ref _words[word]) != 0)
            {
                return true;
            }
        }

        return false;
    }
}
