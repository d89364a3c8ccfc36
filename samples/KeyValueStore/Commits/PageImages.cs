namespace StorageCache.KeyValueStore.Commits;

/// <summary>Arrays of a page's length, used again and again by the holder of the writer lock.</summary>
internal sealed class PageImages(int pageSize)
{
    private const int MostIdle = 64;

    private readonly Stack<byte[]> _idle = new();

    /// <summary>An array of a page's length; what it holds means nothing.</summary>
    public byte[] Rent() => _idle.TryPop(out byte[]? image) ? image : new byte[pageSize];

    /// <summary>Takes one back, if there is one.</summary>
    public void Return(byte[]? image)
    {
        if (image is not null && _idle.Count < MostIdle)
        {
            _idle.Push(image);
        }
    }
}
