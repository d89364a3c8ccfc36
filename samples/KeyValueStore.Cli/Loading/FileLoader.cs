using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>Puts the files of a tree, whatever becomes of them meanwhile: what cannot be put is left out, and what changed while it was read is named.</summary>
internal sealed class FileLoader(KeyValueStore store, FileTree tree)
{
    private readonly List<LoadedFile> _loaded = [];
    private readonly List<SkippedFile> _skipped = [.. tree.Skipped];
    private readonly List<string> _changed = [];

    /// <summary>The files that were put, in the order of their keys.</summary>
    public IReadOnlyList<LoadedFile> Loaded => _loaded;

    /// <summary>What was left out, here or when the tree was read.</summary>
    public IReadOnlyList<SkippedFile> Skipped => _skipped;

    /// <summary>Files among the loaded ones that changed while they were read: their values may be a mixture of old and new.</summary>
    public IReadOnlyList<string> Changed => _changed;

    /// <summary>Bytes of the files that were put.</summary>
    public long BytesLoaded { get; private set; }

    public async Task<long> RunAsync(Action<double> report, CancellationToken cancellationToken)
    {
        foreach (TreeFile file in tree.Files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                await LoadAsync(file.RelativePath, cancellationToken);
            }
            catch (SourceException exception)
            {
                _skipped.Add(new SkippedFile(file.RelativePath, exception.Reason, exception.Message));
            }

            report(BytesLoaded);
        }

        return BytesLoaded;
    }

    private async Task LoadAsync(string path, CancellationToken cancellationToken)
    {
        await using FileStream file = Open(tree.FullPath(path), out FileStatus status);
        SourceStream source = new(file);
        await store.PutAsync(ByteText.ToBytes(path), source, cancellationToken);
        _loaded.Add(new LoadedFile(path, source.BytesRead, source.Hash, status));
        BytesLoaded += source.BytesRead;
        if (FileStatus.Of(file.SafeFileHandle) != status)
        {
            _changed.Add(path);
        }
    }

    private static FileStream Open(string path, out FileStatus status)
    {
        try
        {
            return SourceFile.OpenRegular(path, out status);
        }
        catch (IOException exception)
        {
            throw new SourceException(SkipReason.Unreadable, exception.Message, exception);
        }
    }
}
