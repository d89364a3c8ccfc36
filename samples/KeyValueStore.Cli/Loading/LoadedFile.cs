using StorageCache.KeyValueStore.Cli.Files;

namespace StorageCache.KeyValueStore.Cli.Loading;

/// <summary>A file that was put.</summary>
/// <param name="RelativePath">Path from the tree's root, with /.</param>
/// <param name="Length">Bytes that were read of it.</param>
/// <param name="Hash">XXH3 of those bytes.</param>
/// <param name="Status">The file when it was opened.</param>
internal sealed record LoadedFile(string RelativePath, long Length, ulong Hash, FileStatus Status);
