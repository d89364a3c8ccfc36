namespace StorageCache.Tests.Stress.Storms;

/// <summary>A file of which is known what each page holds.</summary>
internal sealed class ExactFile
{
    /// <summary>More than there are workers.</summary>
    private const int Shares = 32;

    private readonly SemaphoreSlim _shares = new(Shares);
    private readonly SemaphoreSlim _alone = new(1);
    private volatile Mapping? _mapping;

    public ExactFile(int number, string directory, int pages)
    {
        Number = number;
        Path = System.IO.Path.Combine(directory, $"exact{number}");
        Values = new int[pages];
        Locks = [.. Values.Select(_ => new Lock())];
        Histories = [.. Values.Select(_ => new PageHistory())];
    }

    public int Number { get; }

    public string Path { get; }

    /// <summary>What each page holds; to be changed by who has its lock, or the file alone.</summary>
    public int[] Values { get; }

    /// <summary>Orders those who use a page, and what the model says of it.</summary>
    public Lock[] Locks { get; }

    public PageHistory[] Histories { get; }

    /// <summary>What happened to the file as a whole.</summary>
    public PageHistory History { get; } = new();

    public Mapping Mapping
    {
        get => _mapping!;
        set => _mapping = value;
    }

    /// <summary>Keeps away those who want the file alone.</summary>
    public void Share() => _shares.Wait();

    public void EndSharing() => _shares.Release();

    /// <summary>Keeps everybody away.</summary>
    public async Task TakeAloneAsync()
    {
        await _alone.WaitAsync();
        for (int i = 0; i < Shares; i++)
        {
            await _shares.WaitAsync();
        }
    }

    public void EndAlone()
    {
        _shares.Release(Shares);
        _alone.Release();
    }

    /// <summary>Pages from one to an end are zeros now.</summary>
    public void Clear(int from, int end, int worker, string what)
    {
        for (int page = from; page < end; page++)
        {
            Values[page] = PageValues.Zeros;
            Histories[page].Note(worker, what, PageValues.Zeros);
        }
    }
}
