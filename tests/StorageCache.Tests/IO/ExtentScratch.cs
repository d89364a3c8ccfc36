using StorageCache.IO;
using StorageCache.Tests.FileSystems;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>A file system of its own, and devices on its files, for one test.</summary>
internal sealed class ExtentScratch : IDisposable
{
    public const int Page = TestRequest.PageSize;

    private readonly IIoEngine _engine;
    private readonly List<FileBlockDevice> _devices = [];

    public ExtentScratch(string fileSystem, IoEngine engine = IoEngine.Auto)
        : this(FileSystem.Mount(fileSystem), engine)
    {
    }

    public ExtentScratch(MountedFileSystem mounted, IoEngine engine = IoEngine.Auto)
    {
        Mounted = mounted;
        _engine = TestEngines.Create(threads: 1, engine);
    }

    public MountedFileSystem Mounted { get; }

    public string PathOf(string name) => Path.Combine(Mounted.Path, name);

    /// <summary>Opens a file, which is created if it is not there.</summary>
    public FileBlockDevice Open(string name, bool isReadOnly = false) => OpenPath(PathOf(name), isReadOnly);

    /// <summary>Opens a file by its full path.</summary>
    public FileBlockDevice OpenPath(string path, bool isReadOnly = false)
    {
        FileBlockDevice device = FileBlockDevice.Open(path, isReadOnly ? FileOpenMode.Open : FileOpenMode.OpenOrCreate, isReadOnly, Page, _engine);
        _devices.Add(device);
        return device;
    }

    /// <summary>Makes a file of some pages, durable, and opens it.</summary>
    public FileBlockDevice Create(string name, int pages, byte seed = 1)
    {
        FileBlockDevice device = Open(name);
        Write(device, 0, BlockDeviceTests.Pattern(pages * Page, seed));
        using TestRequest flush = TestRequest.Flush().SubmitTo(device);
        Assert.Null(flush.Error);
        return device;
    }

    /// <summary>Makes a clone of a file, and opens it.</summary>
    public async Task<FileBlockDevice> CloneAsync(FileBlockDevice origin, string name)
    {
        FileBlockDevice clone = Open(name);
        CloneOutcome outcome = await TryCloneAsync(origin, clone);
        Assert.True(outcome.IsCloned, outcome.ToString());
        return clone;
    }

    /// <summary>Writes as a cache does: directly, but for an unaligned end.</summary>
    public static void Write(FileBlockDevice device, long offset, ReadOnlySpan<byte> bytes)
    {
        using TestRequest write = TestRequest.Write(offset, bytes).SubmitTo(device);
        Assert.Null(write.Error);
    }

    /// <summary>Writes into the kernel's page cache, and leaves it there.</summary>
    public static void WriteBuffered(string path, long offset, ReadOnlySpan<byte> bytes)
    {
        using FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        file.Position = offset;
        file.Write(bytes);
    }

    /// <summary><see cref="FileBlockDevice.CloneFromAsync"/>; goes on off the engine's thread, which a test would block.</summary>
    public static async Task<CloneOutcome> TryCloneAsync(FileBlockDevice origin, FileBlockDevice destination, CancellationToken cancellationToken = default)
    {
        try
        {
            return await destination.CloneFromAsync(origin, cancellationToken);
        }
        finally
        {
            await Task.Yield();
        }
    }

    /// <summary><see cref="FileBlockDevice.GetExtentsAsync"/>; goes on off the engine's thread, which a test would block.</summary>
    public static async Task<Extent[]> ExtentsOf(
        FileBlockDevice device, long offset = 0, long length = long.MaxValue, CancellationToken cancellationToken = default)
    {
        try
        {
            return await device.GetExtentsAsync(offset, length, cancellationToken);
        }
        finally
        {
            await Task.Yield();
        }
    }

    /// <summary>Where each page of a file lies, if it is plain; null for the others.</summary>
    public static async Task<(long Physical, bool IsShared)?[]> PlacesOf(FileBlockDevice device)
    {
        (long Physical, bool IsShared)?[] places = new (long Physical, bool IsShared)?[device.Length / Page];
        foreach (Extent extent in await ExtentsOf(device))
        {
            for (long at = extent.Logical; extent.IsPlain && at < Math.Min(extent.End, device.Length); at += Page)
            {
                Assert.Null(places[at / Page]);
                places[at / Page] = (extent.Physical + (at - extent.Logical), extent.IsShared);
            }
        }

        return places;
    }

    public void Dispose()
    {
        _engine.Dispose();
        _devices.ForEach(device => device.Close());
        Mounted.Dispose();
    }
}
