namespace StorageCache.Tests.IO;

/// <summary>A directory that goes away with the test.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    /// <param name="parent">Where; beside the test's own binaries if null, which is a disk more often than the temporary directory is.</param>
    public ScratchDirectory(string? parent = null)
    {
        Path = System.IO.Path.Combine(parent ?? AppContext.BaseDirectory, $"storagecache-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
