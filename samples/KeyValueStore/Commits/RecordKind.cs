namespace StorageCache.KeyValueStore.Commits;

/// <summary>What a record of the log says. Numbers from 128 on are the log's own.</summary>
internal enum RecordKind : byte
{
    /// <summary>A commit: the contents of the store after it (<see cref="Format.StoreContents"/>), then a <see cref="PageEntry"/> for each page that it has changed.</summary>
    Commit = 1,

    /// <summary>A piece of a large value: one <see cref="PageEntry"/>. Nothing leads to its page before a commit does.</summary>
    Piece = 2,
}
