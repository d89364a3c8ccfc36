using StorageCache.IO;

namespace StorageCache.Tests.IO.Faults;

/// <summary>One request that the kernel has made of a <see cref="FuseFile"/>.</summary>
internal readonly record struct FuseCall(BlockOperation Operation, long Offset, int Length);
