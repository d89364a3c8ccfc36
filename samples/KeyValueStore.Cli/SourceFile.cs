namespace StorageCache.KeyValueStore.Cli;

/// <summary>Files to be read from start to end, without a buffer of their own.</summary>
internal static class SourceFile
{
    public static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite | FileShare.Delete,
        BufferSize = 0,
        Options = FileOptions.SequentialScan,
    });
}
