namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>A file to be put.</summary>
/// <param name="RelativePath">Path from the tree's root, with /.</param>
/// <param name="Length">Bytes it had when the tree was read.</param>
internal readonly record struct TreeFile(string RelativePath, long Length);
