namespace StorageCache.Simulation.Disk;

/// <summary>What can go wrong with a disk. The table in <c>docs/simulation.md</c> says what each does.</summary>
internal enum Fault
{
    /// <summary>A read fails; the next one may succeed.</summary>
    ReadError,

    /// <summary>A write fails and has changed nothing; the next one may succeed.</summary>
    WriteError,

    /// <summary>A write fails and has changed some of its sectors.</summary>
    TornWrite,

    /// <summary>A write reports fewer bytes than it was to transfer, and has transferred those.</summary>
    ShortWrite,

    /// <summary>A range of sectors goes bad: every read and write of it fails until the disk is mended.</summary>
    BadSectors,

    /// <summary>A flush fails and keeps what was to be flushed as it was.</summary>
    FlushError,

    /// <summary>A flush fails and some or all of what was to be flushed is gone, for readers as well.</summary>
    DroppingFlush,

    /// <summary>There is no room: a change of length, or a write that makes the file longer, fails.</summary>
    NoSpace,

    /// <summary>A request takes its time.</summary>
    Slow,

    /// <summary>A request takes for ever: until faults are switched off, or the power goes.</summary>
    Stuck,

    /// <summary>A read says that the file ends before it does.</summary>
    ShortRead,

    /// <summary>A write goes to another place than it says.</summary>
    MisdirectedWrite,

    /// <summary>A write is acknowledged and never made.</summary>
    LostWrite,

    /// <summary>A bit of what is stored changes.</summary>
    BitRot,

    /// <summary>The file says that it has another length than it has.</summary>
    LyingLength,

    /// <summary>A flush is acknowledged and has flushed nothing.</summary>
    LyingFlush,
}
