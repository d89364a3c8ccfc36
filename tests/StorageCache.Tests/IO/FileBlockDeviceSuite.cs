using StorageCache.IO;

namespace StorageCache.Tests.IO;

/// <summary>The common suite over files; inherited by one class per file system.</summary>
public abstract class FileBlockDeviceSuite : BlockDeviceTests, IDisposable
{
    private readonly IIoEngine _engine = TestEngines.Create(threads: 2);
    private ScratchDirectory? _directory;

    public virtual void Dispose()
    {
        _engine.Dispose();
        _directory?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A directory on the file system, or null for the default one; skips the test if there is none.</summary>
    protected abstract string? Mount();

    private protected override IBlockDevice Open()
    {
        _directory ??= new ScratchDirectory(Mount());
        return FileBlockDevice.Open(_directory.File("file"), FileOpenMode.CreateNew, isReadOnly: false, TestRequest.PageSize, _engine);
    }
}
