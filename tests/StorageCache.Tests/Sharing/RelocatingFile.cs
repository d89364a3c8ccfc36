using StorageCache.IO;

namespace StorageCache.Tests.Sharing;

/// <summary>A file on a <see cref="RelocatingDisk"/>. Each write of a page goes to a block of its own; its length stays.</summary>
internal sealed class RelocatingFile : IExtentDevice
{
    private readonly RelocatingDisk _disk;

    public RelocatingFile(RelocatingDisk disk, string name, int pages)
    {
        _disk = disk;
        Name = name;
        Places = [.. Enumerable.Repeat(-1L, pages)];
    }

    /// <summary>The block of each page. Belongs to the disk.</summary>
    public long[] Places { get; }

    /// <summary>What asking for the extents throws, given the number of answers of the disk before; null for nothing.</summary>
    public Func<Exception?>? Fault { get; set; }

    public string Name { get; }

    public int Alignment => 1;

    public long Length => (long)Places.Length * RelocatingDisk.PageSize;

    public bool IsReadOnly => false;

    /// <summary>All of them lie in one.</summary>
    public ExtentSpace? ExtentSpace => default(ExtentSpace);

    public void Submit(BlockRequest request) => Execute(request);

    public void Execute(BlockRequest request)
    {
        int done = 0;
        foreach (BlockSegment segment in request.Operation == BlockOperation.Flush ? default : request.Segments)
        {
            for (int at = 0; at < segment.Length && request.Offset + done < Length; at += RelocatingDisk.PageSize)
            {
                int page = (int)((request.Offset + done) / RelocatingDisk.PageSize);
                Span<byte> bytes = segment.Span.Slice(at, RelocatingDisk.PageSize);
                if (request.Operation == BlockOperation.Write)
                {
                    _disk.Write(this, page, bytes);
                }
                else
                {
                    _disk.Read(this, page, bytes);
                }

                done += RelocatingDisk.PageSize;
            }
        }

        request.Complete(done);
    }

    /// <summary>All extents are told to be shared: file systems err on that side.</summary>
    public async ValueTask<Extent[]> GetExtentsAsync(long offset, long length, CancellationToken cancellationToken)
    {
        long[] places = await _disk.AskAsync(this);
        if (Fault?.Invoke() is { } fault)
        {
            throw fault;
        }

        List<Extent> extents = [];
        for (int page = 0; page < places.Length; page++)
        {
            Extent extent = new(page * (long)RelocatingDisk.PageSize, places[page] * RelocatingDisk.PageSize, RelocatingDisk.PageSize, IsPlain: true, IsShared: true);
            if (extents.Count > 0 && extents[^1].Physical + extents[^1].Length == extent.Physical)
            {
                extents[^1] = extents[^1] with { Length = extents[^1].Length + extent.Length };
            }
            else
            {
                extents.Add(extent);
            }
        }

        return [.. extents];
    }

    public ValueTask<CloneOutcome> CloneFromAsync(FileBlockDevice source, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
