namespace StorageCache.Simulation.Disk;

/// <summary>One content of a sector that came after what is durable.</summary>
/// <param name="Bytes">The content; null for zeros.</param>
/// <param name="Cause">What wrote it: says whether that is complete, and so covered by a flush.</param>
/// <param name="Cut">The number of the change of length that zeroed the sector; -1 if a write made it.</param>
/// <param name="IsDamaged">Whether it is not what should be there, and the disk does not say so.</param>
internal readonly record struct SectorVersion(byte[]? Bytes, Change Cause, int Cut, bool IsDamaged);
