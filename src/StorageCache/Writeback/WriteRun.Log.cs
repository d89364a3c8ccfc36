namespace StorageCache.Writeback;

/// <content>What the log has to do with the pages of a write.</content>
internal sealed unsafe partial class WriteRun
{
    /// <summary>The highest number that one of the pages was marked with before the write began; 0 if none was.</summary>
    public ulong HighestLsn { get; private set; }

    /// <summary>Notes what the page that is added next was marked with.</summary>
    public void NoteLsns(ulong lsn) => HighestLsn = Math.Max(HighestLsn, lsn);

    private void ForgetLsns() => HighestLsn = 0;
}
