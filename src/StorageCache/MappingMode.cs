namespace StorageCache;

/// <summary>What to do about a file that exists, or does not.</summary>
public enum MappingMode
{
    /// <summary>Open the file; it must exist.</summary>
    Open,

    /// <summary>Open the file, or create it empty.</summary>
    OpenOrCreate,

    /// <summary>Create the file; it must not exist.</summary>
    CreateNew,
}
