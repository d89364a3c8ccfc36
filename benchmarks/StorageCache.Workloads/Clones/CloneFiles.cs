using System.Globalization;
using StorageCache.Workloads.Disk;

namespace StorageCache.Workloads.Clones;

/// <summary>Reflinked copies of one file, none of which has been written since.</summary>
internal sealed class CloneFiles : IDisposable
{
    private readonly LoopFileSystem _fileSystem;
    private readonly string _directory;

    private CloneFiles(LoopFileSystem fileSystem, string directory, string[] paths)
    {
        _fileSystem = fileSystem;
        _directory = directory;
        Paths = paths;
    }

    /// <summary>Where they are.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>Makes some clones of a file in a directory of their own.</summary>
    public static CloneFiles Create(LoopFileSystem fileSystem, StampedFile original, int count)
    {
        string directory = fileSystem.PathOf("clones");
        Directory.CreateDirectory(directory);
        string[] paths = [.. Enumerable.Range(0, count).Select(i => Path.Combine(directory, i.ToString(CultureInfo.InvariantCulture)))];
        foreach (string path in paths)
        {
            ProgramRun.Run("cp", "--reflink=always", original.Path, path);
        }

        CloneFiles files = new(fileSystem, directory, paths);
        files.Sync();
        return files;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        Sync();
    }

    private void Sync() => ProgramRun.Run("sync", "--file-system", _fileSystem.Path);
}
