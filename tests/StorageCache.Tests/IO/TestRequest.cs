using System.Runtime.InteropServices;
using StorageCache.IO;

namespace StorageCache.Tests.IO;

/// <summary>A request with memory of its own that remembers how it ended.</summary>
internal sealed unsafe class TestRequest : BlockRequest, IDisposable
{
    public const int PageSize = 4096;

    private readonly byte* _memory;
    private readonly int _pages;
    private readonly bool _scattered;
    private readonly ManualResetEventSlim _completed = new();

    /// <param name="pages">Segments at most, one page each.</param>
    /// <param name="scattered">Segments go down in memory, so that no two of them can be joined.</param>
    public TestRequest(int pages, bool scattered = false)
        : base(pages)
    {
        _pages = pages;
        _scattered = scattered;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(1, pages) * PageSize, PageSize);
        new Span<byte>(_memory, pages * PageSize).Fill(0xee);
    }

    public int BytesTransferred { get; private set; }

    public IOException? Error { get; private set; }

    public int Completions { get; private set; }

    public Thread? CompletingThread { get; private set; }

    public Action? WhenCompleted { get; set; }

    /// <summary>What the segments hold, in the order of the device.</summary>
    public byte[] Bytes
    {
        get
        {
            List<byte> bytes = [];
            foreach (BlockSegment segment in Segments)
            {
                bytes.AddRange(segment.Span);
            }

            return [.. bytes];
        }
    }

    public static TestRequest Read(long offset, int pages, bool scattered = false) => new TestRequest(pages, scattered).PrepareRead(offset, pages);

    public static TestRequest Write(long offset, ReadOnlySpan<byte> bytes, bool scattered = false)
    {
        TestRequest request = new((bytes.Length + PageSize - 1) / PageSize, scattered);
        request.Prepare(BlockOperation.Write, offset, bytes.Length);
        foreach (BlockSegment segment in request.Segments)
        {
            bytes[..segment.Length].CopyTo(segment.Span);
            bytes = bytes[segment.Length..];
        }

        return request;
    }

    public static TestRequest Flush()
    {
        TestRequest request = new(0);
        request.Prepare(BlockOperation.Flush, 0, 0);
        return request;
    }

    public TestRequest PrepareRead(long offset, int pages)
    {
        Prepare(BlockOperation.Read, offset, pages * PageSize);
        return this;
    }

    public void Prepare(BlockOperation operation, long offset, int bytes)
    {
        _completed.Reset();
        Reset(operation, offset);
        for (int i = 0; bytes > 0; i++)
        {
            int length = Math.Min(bytes, PageSize);
            Append(new BlockSegment(_memory + ((_scattered ? _pages - 1 - i : i) * (long)PageSize), length));
            bytes -= length;
        }
    }

    /// <summary>Submits, waits, and gives the request back for its results to be looked at.</summary>
    public TestRequest SubmitTo(IBlockDevice device)
    {
        device.Submit(this);
        Wait();
        return this;
    }

    public TestRequest ExecuteOn(IBlockDevice device)
    {
        device.Execute(this);
        Wait();
        return this;
    }

    public void Wait()
    {
        if (!_completed.Wait(TimeSpan.FromSeconds(60)))
        {
            throw new TimeoutException("The request did not complete.");
        }
    }

    public void Dispose()
    {
        _completed.Dispose();
        NativeMemory.AlignedFree(_memory);
    }

    protected override void OnCompleted(int bytesTransferred, IOException? error)
    {
        BytesTransferred = bytesTransferred;
        Error = error;
        Completions++;
        CompletingThread = Thread.CurrentThread;
        WhenCompleted?.Invoke();
        _completed.Set();
    }
}
