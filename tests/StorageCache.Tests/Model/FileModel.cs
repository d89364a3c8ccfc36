namespace StorageCache.Tests.Model;

/// <summary>The naive model of a file: its bytes.</summary>
internal sealed class FileModel(int pageSize)
{
    private byte[] _bytes = [];

    public long Length => _bytes.Length;

    public long PageCount => (Length + pageSize - 1) / pageSize;

    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The bytes of a page that lie in the file.</summary>
    public Span<byte> Page(long page)
    {
        int start = (int)Math.Min(page * pageSize, Length);
        return _bytes.AsSpan(start, (int)Math.Min(pageSize, Length - start));
    }

    public void SetLength(long length) => Array.Resize(ref _bytes, (int)length);

    public void Punch(long firstPage, long count)
    {
        for (long page = firstPage; page < Math.Min(firstPage + count, PageCount); page++)
        {
            Page(page).Clear();
        }
    }

    /// <summary>What asking for a page anew does: the file becomes long enough to hold a page beyond its end whole.</summary>
    public void Renew(long page)
    {
        if (page >= PageCount)
        {
            SetLength((page + 1) * pageSize);
        }

        Page(page).Clear();
    }
}
