namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>Puts the files of a tree; those that cannot be read are taken out of the tree and reported there.</summary>
internal sealed class FileLoader(KeyValueStore store, FileTree tree)
{
    public long BytesLoaded { get; private set; }

    public async Task<long> RunAsync(Action<double> report, CancellationToken cancellationToken)
    {
        Dictionary<string, string> unreadable = [];
        foreach (TreeFile file in tree.Files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            FileStream? source = TryOpen(file, unreadable);
            if (source is null)
            {
                continue;
            }

            await using (source)
            {
                byte[] key = TextKey.ToBytes(file.RelativePath);
                SourceStream guarded = new(source);
                try
                {
                    await store.PutAsync(key, guarded, cancellationToken);
                    BytesLoaded += guarded.BytesRead;
                }
                catch (SourceStream.ReadFailedException exception)
                {
                    unreadable[file.RelativePath] = exception.Message;
                }
            }

            report(BytesLoaded);
        }

        tree.Skip(unreadable);
        return BytesLoaded;
    }

    private FileStream? TryOpen(in TreeFile file, Dictionary<string, string> unreadable)
    {
        try
        {
            return SourceFile.Open(tree.FullPath(file));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            unreadable[file.RelativePath] = exception.Message;
            return null;
        }
    }
}
