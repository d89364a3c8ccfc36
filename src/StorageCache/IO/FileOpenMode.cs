namespace StorageCache.IO;

/// <summary>Whether opening a file may or must create it.</summary>
internal enum FileOpenMode
{
    /// <summary>The file must exist.</summary>
    Open,

    /// <summary>The file is created, empty, if it does not exist.</summary>
    OpenOrCreate,

    /// <summary>The file must not exist.</summary>
    CreateNew,
}
