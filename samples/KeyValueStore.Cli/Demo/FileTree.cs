using System.Text;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>The regular files below a directory, and what was left out of them and why.</summary>
internal sealed class FileTree
{
    private readonly List<TreeFile> _files = [];
    private readonly List<string> _skipped = [];

    private FileTree(string root) => Root = root;

    /// <summary>The directory, without symbolic links at its end.</summary>
    public string Root { get; }

    /// <summary>Files, in the order of their keys once <see cref="Read"/> has returned.</summary>
    public IReadOnlyList<TreeFile> Files => _files;

    /// <summary>Paths that are not among the files, each with the reason.</summary>
    public IReadOnlyList<string> Skipped => _skipped;

    /// <summary>Symbolic links; what they lead to is in the tree already or is none of its business.</summary>
    public int Links { get; private set; }

    public long TotalBytes => _files.Sum(file => file.Length);

    /// <summary>Reads a directory and those below it.</summary>
    /// <param name="directory">Where to begin; it may be a symbolic link itself.</param>
    /// <param name="exclude">A file to pass over: the store being written.</param>
    /// <exception cref="IOException">The directory itself cannot be read.</exception>
    public static FileTree Read(string directory, string? exclude = null)
    {
        DirectoryInfo start = new(directory);
        if (!start.Exists)
        {
            throw new DirectoryNotFoundException($"There is no directory '{directory}'.");
        }

        string root = (start.ResolveLinkTarget(returnFinalTarget: true) ?? start).FullName;
        FileTree tree = new(root);
        string? excluded = exclude is null ? null : Path.GetFullPath(exclude);
        Stack<DirectoryInfo> pending = new([new DirectoryInfo(root)]);
        while (pending.TryPop(out DirectoryInfo? current))
        {
            tree.ReadDirectory(current, excluded, pending);
        }

        tree._files.Sort((x, y) => Encoding.UTF8.GetBytes(x.RelativePath).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y.RelativePath)));
        return tree;
    }

    public string FullPath(in TreeFile file) => Path.Combine(Root, file.RelativePath);

    /// <summary>Takes files out that turned out not to be readable.</summary>
    public void Skip(IReadOnlyDictionary<string, string> reasons)
    {
        _files.RemoveAll(file => reasons.ContainsKey(file.RelativePath));
        _skipped.AddRange(reasons.Select(reason => $"{reason.Key}: {reason.Value}"));
    }

    private void ReadDirectory(DirectoryInfo directory, string? excluded, Stack<DirectoryInfo> pending)
    {
        try
        {
            EnumerationOptions options = new() { AttributesToSkip = 0, IgnoreInaccessible = false };
            foreach (FileSystemInfo entry in directory.EnumerateFileSystemInfos("*", options))
            {
                AddEntry(entry, excluded, pending);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _skipped.Add($"{Path.GetRelativePath(Root, directory.FullName)}: {exception.Message}");
        }
    }

    /// <summary>Takes an entry in. One that cannot be looked at (it vanished, or its name is not UTF-8) costs its neighbours nothing.</summary>
    private void AddEntry(FileSystemInfo entry, string? excluded, Stack<DirectoryInfo> pending)
    {
        try
        {
            if (entry.LinkTarget is not null)
            {
                Links++;
            }
            else if (entry is DirectoryInfo child)
            {
                pending.Push(child);
            }
            else if (entry.FullName != excluded)
            {
                Add((FileInfo)entry);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _skipped.Add($"{Path.GetRelativePath(Root, entry.FullName)}: {exception.Message}");
        }
    }

    private void Add(FileInfo file)
    {
        string path = Path.GetRelativePath(Root, file.FullName).Replace(Path.DirectorySeparatorChar, '/');
        if (Encoding.UTF8.GetByteCount(path) is > KeyValueStore.MaximumKeyLength and var length)
        {
            _skipped.Add($"{path}: the path has {length} bytes, more than a key may have");
        }
        else if (file.Length == 0 && !FileType.IsRegular(file.FullName))
        {
            _skipped.Add($"{path}: not a regular file");
        }
        else if (file.Length > KeyValueStore.MaximumValueLength)
        {
            _skipped.Add($"{path}: {file.Length} bytes, more than a value may have");
        }
        else
        {
            _files.Add(new TreeFile(path, file.Length));
        }
    }
}
