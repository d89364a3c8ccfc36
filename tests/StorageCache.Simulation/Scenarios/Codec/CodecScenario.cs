using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Codec;

/// <summary>
/// The cache with a checksum codec on a disk that damages what it stores and does not say so: what is read is what was written, or the page
/// is corrupt, for which there is a cause.
/// </summary>
internal sealed class CodecScenario : IScenario
{
    /// <inheritdoc/>
    public string Name => "codec";

    /// <inheritdoc/>
    public string Description => "The cache with checksums on a disk that damages pages silently: wrong bytes are never given.";

    /// <inheritdoc/>
    public IReadOnlyList<Fault> Faults { get; } =
    [
        Fault.ReadError, Fault.WriteError, Fault.TornWrite, Fault.ShortWrite, Fault.Slow, Fault.ShortRead, Fault.MisdirectedWrite, Fault.LostWrite,
        Fault.BitRot, Fault.LyingFlush,
    ];

    /// <inheritdoc/>
    public IScenarioRun Begin(World world) => new CodecRun(world);
}
