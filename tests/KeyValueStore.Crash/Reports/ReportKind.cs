namespace StorageCache.KeyValueStore.Crash.Reports;

/// <summary>What a worker says about what it does.</summary>
internal enum ReportKind : byte
{
    /// <summary>A store is about to be opened.</summary>
    Opening,

    /// <summary>A store was refused; <see cref="Report.Text"/> says how, and <see cref="Report.Operation"/> is 1 if in a way that a caller can understand.</summary>
    Refused,

    /// <summary>A store could not be opened, as the disk has failed; <see cref="Report.Text"/> says how.</summary>
    NotOpened,

    /// <summary>Keys of a store that has been opened; there may be several of these.</summary>
    Found,

    /// <summary>All keys have been said, and the store has been checked; <see cref="Report.Text"/> has what the check found.</summary>
    Checked,

    /// <summary>A change is about to begin.</summary>
    Begun,

    /// <summary>A change has returned.</summary>
    Done,

    /// <summary>A change has thrown, and has not taken place.</summary>
    Failed,

    /// <summary>A change has thrown, and may have taken place.</summary>
    InDoubt,

    /// <summary>A clone is about to be made of the store in <see cref="Report.Text"/>.</summary>
    CloneBegun,

    /// <summary>The clone has been made.</summary>
    CloneDone,

    /// <summary>The clone has not been made; <see cref="Report.Text"/> says why.</summary>
    CloneFailed,

    /// <summary>The stores are about to be closed.</summary>
    Closing,

    /// <summary>A store has been closed; <see cref="Report.Text"/> says what went wrong.</summary>
    Closed,

    /// <summary>The worker has seen what cannot be.</summary>
    Violation,
}
