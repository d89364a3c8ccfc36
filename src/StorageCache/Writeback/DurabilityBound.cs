namespace StorageCache.Writeback;

/// <summary>
/// The lowest log sequence number among changes that are on their way to the device, and in no page's head any more (WB-18): written and
/// not synced, or taken away by a cut or punch that is not synced, in two generations as the tags of pages have them; or returned to the heads by a write that failed. Thread-safe.
/// </summary>
internal sealed class DurabilityBound
{
    private ulong _even;
    private ulong _odd;
    private ulong _returned;

    /// <summary>The lower of two numbers, of which 0 stands for none.</summary>
    public static ulong Lower(ulong one, ulong other) => one == 0 || (other != 0 && other < one) ? other : one;

    /// <summary>Lowers a number to another, of which 0 stands for none.</summary>
    public static void Lower(ref ulong value, ulong to)
    {
        ulong seen = Volatile.Read(ref value);
        while (to != 0 && (seen == 0 || to < seen))
        {
            ulong before = Interlocked.CompareExchange(ref value, to, seen);
            if (before == seen)
            {
                return;
            }

            seen = before;
        }
    }

    /// <summary>The lowest of a generation.</summary>
    public ulong Unsynced(int generation) => Volatile.Read(ref Generation(generation));

    /// <summary>Notes a write that has succeeded, and has not ended yet, or changes that the device has just been cut or punched beneath.</summary>
    public void Left(int generation, ulong lsn) => Lower(ref Generation(generation), lsn);

    /// <summary>Notes a write that has failed: its pages' heads have their numbers again. It has not ended yet.</summary>
    public void Returned(ulong lsn) => Lower(ref _returned, lsn);

    /// <summary>Forgets a generation: a sync that began after all of its writes had ended has succeeded.</summary>
    public void Synced(int generation) => Volatile.Write(ref Generation(generation), 0);

    /// <summary>Forgets what was returned so far, before the heads are looked at.</summary>
    public void BeginLook() => Interlocked.Exchange(ref _returned, 0);

    /// <summary>The lowest of all, after the heads and then the writes under way have been looked at.</summary>
    public ulong EndLook() => Lower(Lower(Unsynced(0), Unsynced(1)), Volatile.Read(ref _returned));

    private ref ulong Generation(int generation) => ref (generation & 1) == 0 ? ref _even : ref _odd;
}
