using System.Text;
using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>The regular files below a directory, and what was left out of them and why.</summary>
internal sealed class FileTree
{
    private const char Replacement = '\uFFFD';

    private readonly List<TreeFile> _files = [];
    private readonly List<SkippedFile> _skipped = [];

    private FileTree(string root) => Root = root;

    /// <summary>The directory, without symbolic links at its end.</summary>
    public string Root { get; }

    /// <summary>Files, in the order of their keys once <see cref="Read"/> has returned.</summary>
    public IReadOnlyList<TreeFile> Files => _files;

    /// <summary>Paths that are not among the files.</summary>
    public IReadOnlyList<SkippedFile> Skipped => _skipped;

    /// <summary>Symbolic links; what they lead to is in the tree already or is none of its business.</summary>
    public int Links { get; private set; }

    public long TotalBytes => _files.Sum(file => file.Length);

    /// <summary>Reads a directory and those below it.</summary>
    /// <param name="directory">Where to begin; it may be a symbolic link itself.</param>
    /// <param name="exclude">A file to pass over: the store being written.</param>
    /// <exception cref="IOException">The directory itself cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The directory itself may not be read.</exception>
    public static FileTree Read(string directory, string? exclude = null)
    {
        DirectoryInfo start = new(directory);
        if (!start.Exists)
        {
            throw new DirectoryNotFoundException($"There is no directory '{directory}'.");
        }

        string root = (start.ResolveLinkTarget(returnFinalTarget: true) ?? start).FullName;
        FileTree tree = new(root);
        FileStatus? excluded = exclude is null ? null : FileStatus.TryGet(exclude, followLinks: true);
        Stack<DirectoryInfo> pending = new();
        tree.ReadDirectory(new DirectoryInfo(root), excluded, pending);
        while (pending.TryPop(out DirectoryInfo? current))
        {
            try
            {
                tree.ReadDirectory(current, excluded, pending);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                tree.Skip(current, SkipReason.Unreadable, exception.Message);
            }
        }

        tree._files.Sort((x, y) => Encoding.UTF8.GetBytes(x.RelativePath).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y.RelativePath)));
        return tree;
    }

    public string FullPath(string relativePath) => Path.Combine(Root, relativePath);

    private void ReadDirectory(DirectoryInfo directory, FileStatus? excluded, Stack<DirectoryInfo> pending)
    {
        EnumerationOptions options = new() { AttributesToSkip = 0, IgnoreInaccessible = false };
        HashSet<string> ambiguous = [];
        foreach (FileSystemInfo entry in directory.EnumerateFileSystemInfos("*", options))
        {
            // The runtime reads U+FFFD for bytes that are no UTF-8. It cannot open such a file, but would take a neighbour for it that is really called so.
            bool isAmbiguous = entry.Name.Contains(Replacement, StringComparison.Ordinal);
            if (isAmbiguous && (FileStatus.TryGet(entry.FullName, followLinks: false) is null || !ambiguous.Add(entry.Name)))
            {
                Skip(entry, SkipReason.BadPath, "its name is not UTF-8");
            }
            else
            {
                AddEntry(entry, excluded, pending);
            }
        }
    }

    /// <summary>Takes an entry in. One that cannot be looked at, such as one that has vanished, costs its neighbours nothing.</summary>
    private void AddEntry(FileSystemInfo entry, FileStatus? excluded, Stack<DirectoryInfo> pending)
    {
        if (FileStatus.TryGet(entry.FullName, followLinks: false) is not { } status)
        {
            Skip(entry, SkipReason.Unreadable, "it cannot be looked at, or is gone");
            return;
        }

        switch (status.Kind)
        {
            case FileKind.Link:
                Links++;
                break;
            case FileKind.Directory:
                pending.Push(new DirectoryInfo(entry.FullName));
                break;
            case FileKind.Regular:
                if (excluded is not { } store || !store.IsSameFileAs(status))
                {
                    AddFile(entry, status.Length);
                }

                break;
            default:
                Skip(entry, SkipReason.NotRegular, "not a regular file");
                break;
        }
    }

    private void AddFile(FileSystemInfo entry, long length)
    {
        string path = RelativePathOf(entry);
        int bytes = Encoding.UTF8.GetByteCount(path);
        if (bytes > KeyValueStore.MaximumKeyLength)
        {
            Skip(entry, SkipReason.BadPath, $"the path has {bytes} bytes, more than a key may have");
        }
        else if (length > KeyValueStore.MaximumValueLength)
        {
            Skip(entry, SkipReason.TooLarge, $"{length} bytes, more than a value may have");
        }
        else
        {
            _files.Add(new TreeFile(path, length));
        }
    }

    private void Skip(FileSystemInfo entry, SkipReason reason, string detail) => _skipped.Add(new SkippedFile(RelativePathOf(entry), reason, detail));

    private string RelativePathOf(FileSystemInfo entry) => Path.GetRelativePath(Root, entry.FullName).Replace(Path.DirectorySeparatorChar, '/');
}
