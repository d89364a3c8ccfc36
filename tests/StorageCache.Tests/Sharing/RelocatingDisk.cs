namespace StorageCache.Tests.Sharing;

/// <summary>
/// Blocks in memory that files have, alone or in common, and that are moved as a file system would move them: the files read the same
/// before and after. A block that nobody has any more is given away again at once, the lowest first. Thread-safe.
/// </summary>
internal sealed class RelocatingDisk
{
    public const int PageSize = 4096;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, byte[]> _blocks = [];
    private readonly List<RelocatingFile> _files = [];
    private int _asks;

    /// <summary>Comes before each answer to where a file's pages lie, with the number of answers before it.</summary>
    public Func<RelocatingFile, int, Task> BeforeAnswer { get; set; } = static (_, _) => Task.CompletedTask;

    /// <summary>Makes a file whose pages are filled with some bytes each.</summary>
    public RelocatingFile Create(string name, params byte[] pages)
    {
        RelocatingFile file = Add(name, pages.Length);
        for (int page = 0; page < pages.Length; page++)
        {
            byte[] bytes = new byte[PageSize];
            bytes.AsSpan().Fill(pages[page]);
            Write(file, page, bytes);
        }

        return file;
    }

    /// <summary>Makes a file of pages of others, or the same.</summary>
    public RelocatingFile Clone(string name, params (RelocatingFile File, int Page)[] pages)
    {
        RelocatingFile file = Add(name, pages.Length);
        lock (_gate)
        {
            for (int page = 0; page < pages.Length; page++)
            {
                file.Places[page] = pages[page].File.Places[pages[page].Page];
            }
        }

        return file;
    }

    /// <summary>Moves a page of one file to the lowest free block.</summary>
    public void Move(RelocatingFile file, int page)
    {
        lock (_gate)
        {
            byte[] bytes = _blocks[file.Places[page]];
            long place = LowestFree();
            _blocks[place] = bytes;
            file.Places[page] = place;
            Collect();
        }
    }

    /// <summary>Gives a page a block of its own with new bytes.</summary>
    public void Write(RelocatingFile file, int page, ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            long place = LowestFree();
            _blocks[place] = bytes.ToArray();
            file.Places[page] = place;
            Collect();
        }
    }

    public void Read(RelocatingFile file, int page, Span<byte> bytes)
    {
        lock (_gate)
        {
            _blocks[file.Places[page]].CopyTo(bytes);
        }
    }

    /// <summary>Where a file's pages lie: all the same if they are moved while the question is under way.</summary>
    public async Task<long[]> AskAsync(RelocatingFile file)
    {
        await BeforeAnswer(file, _asks++);
        lock (_gate)
        {
            return [.. file.Places];
        }
    }

    private RelocatingFile Add(string name, int pages)
    {
        RelocatingFile file = new(this, name, pages);
        lock (_gate)
        {
            _files.Add(file);
        }

        return file;
    }

    private long LowestFree()
    {
        long place = 0;
        while (_blocks.ContainsKey(place))
        {
            place++;
        }

        return place;
    }

    private void Collect()
    {
        HashSet<long> used = [.. _files.SelectMany(file => file.Places)];
        foreach (long place in _blocks.Keys.Where(place => !used.Contains(place)).ToArray())
        {
            _blocks.Remove(place);
        }
    }
}
