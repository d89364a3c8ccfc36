namespace StorageCache.Writeback;

/// <content>What the log has to do with the pages of a write.</content>
internal sealed unsafe partial class WriteRun
{
    /// <summary>The recovery LSN of each page; made when a page has one, kept from then on.</summary>
    private ulong[]? _recoveryLsns;

    private ulong _oldestLsn;

    /// <summary>The highest number that one of the pages was marked with before the write began; 0 if none was.</summary>
    public ulong HighestLsn { get; private set; }

    /// <summary>
    /// The lowest number of a change that the write takes along; 0 if none is logged. Read by others while the run is collected: what a
    /// page brings is here before it is taken off the page (WB-18).
    /// </summary>
    public ulong OldestLsn => Volatile.Read(ref _oldestLsn);

    /// <summary>Number of the first change of a page that the write takes along; 0 if it is not logged.</summary>
    public ulong RecoveryLsnAt(int index) => OldestLsn == 0 ? 0 : _recoveryLsns![index];

    /// <summary>Notes what the page that is added next was marked with.</summary>
    /// <param name="lsn">The number of its last change.</param>
    /// <param name="recoveryLsn">The number of its first change since it was clean.</param>
    public void NoteLsns(ulong lsn, ulong recoveryLsn)
    {
        HighestLsn = Math.Max(HighestLsn, lsn);
        if (recoveryLsn != 0)
        {
            _recoveryLsns ??= new ulong[MaximumPages];
        }

        if (_recoveryLsns is not null)
        {
            _recoveryLsns[Count] = recoveryLsn;
        }

        Volatile.Write(ref _oldestLsn, DurabilityBound.Lower(_oldestLsn, recoveryLsn));
    }

    private void ForgetLsns()
    {
        HighestLsn = 0;
        Volatile.Write(ref _oldestLsn, 0);
    }
}
