namespace StorageCache;

/// <summary>A page that is dirty, and by what; see <see cref="Mapping.GetDirtyPages"/>.</summary>
/// <param name="Page">The page's number.</param>
/// <param name="Lsn">Log sequence number of its last change that was marked with one, while it was in memory; 0 if none was.</param>
/// <param name="RecoveryLsn">
/// Log sequence number of its first change since it was last clean: recovery has to begin there, or before, to have the page again. 0 if
/// no change since then was marked with one.
/// </param>
public readonly record struct DirtyPage(long Page, ulong Lsn, ulong RecoveryLsn);
