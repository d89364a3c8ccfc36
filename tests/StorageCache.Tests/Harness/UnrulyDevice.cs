using StorageCache.IO;

namespace StorageCache.Tests.Harness;

/// <summary>A device in memory that breaks the rules of devices as a test says.</summary>
internal sealed class UnrulyDevice(long pages) : IBlockDevice
{
    /// <summary>What the device holds.</summary>
    public MemoryBlockDevice Inner { get; } = new("unruly", pages * 4096);

    /// <summary>What is done about a request in place of carrying it out; returns whether it was anything.</summary>
    public Func<BlockRequest, bool>? Instead { get; set; }

    /// <summary>What asking for the length throws.</summary>
    public Exception? LengthFault { get; set; }

    /// <summary>What changing the length throws, in the call or in the task.</summary>
    public Exception? SetLengthFault { get; set; }

    public bool FailsInTheTask { get; set; }

    public string Name => Inner.Name;

    public int Alignment => 1;

    public long Length => LengthFault is null ? Inner.Length : throw LengthFault;

    public bool IsReadOnly => false;

    /// <summary>Carries a request out, up to its completion.</summary>
    public void Transfer(BlockRequest request)
    {
        int done = 0;
        foreach (BlockSegment segment in request.Segments)
        {
            if (request.Operation == BlockOperation.Write)
            {
                Inner.Write(request.Offset + done, segment.Span);
            }
            else
            {
                Inner.Read(request.Offset + done, segment.Span);
            }

            done += segment.Length;
        }
    }

    public void Submit(BlockRequest request)
    {
        if (Instead?.Invoke(request) != true)
        {
            Inner.Execute(request);
        }
    }

    public void Execute(BlockRequest request) => Submit(request);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => SetLengthFault switch
    {
        null => Inner.SetLengthAsync(length, cancellationToken),
        { } fault when FailsInTheTask => ValueTask.FromException(fault),
        { } fault => throw fault,
    };

    public ValueTask DisposeAsync() => Inner.DisposeAsync();
}
