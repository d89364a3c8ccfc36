namespace StorageCache;

/// <summary>The mapping is closed, or is being closed.</summary>
public sealed class MappingClosedException : ObjectDisposedException
{
    internal MappingClosedException(string path)
        : base(nameof(Mapping), $"The mapping of '{path}' is closed.") => Path = path;

    /// <summary>The file's path, or the device's name.</summary>
    public string Path { get; }
}
