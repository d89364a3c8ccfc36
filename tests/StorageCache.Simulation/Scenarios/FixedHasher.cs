using System.IO.Hashing;
using StorageCache.Sharing;

namespace StorageCache.Simulation.Scenarios;

/// <summary>Hashes pages without a key of the process's own, which no seed would know (SIM-1).</summary>
internal sealed class FixedHasher : PageHasher
{
    /// <inheritdoc/>
    public override UInt128 Hash(ReadOnlySpan<byte> page) => XxHash128.HashToUInt128(page);
}
