using StorageCache.Buffers;
using StorageCache.Mappings;
using StorageCache.Writeback;

namespace StorageCache;

/// <content>The write-ahead rule: no page is written before the log is durable up to its last change (WB-16).</content>
public sealed partial class Mapping
{
    /// <summary>
    /// How often a flush waits for the log to have a page's last change, before it keeps writers away from the page meanwhile.
    /// </summary>
    private const int MostWaitsWithoutLatch = 3;

    /// <summary>The way to the log; null without one.</summary>
    private LogGate? _log;

    /// <summary>What has to be durable before a page is written; see <see cref="MappingOptions.Log"/>.</summary>
    public IWriteAheadLog? Log
    {
        get => _log?.Log;
        internal set => _log = value is null ? null : new LogGate(this, value);
    }

    /// <summary>Up to where the log is known to be durable; everything, if there is none.</summary>
    internal ulong LogDurable => _log?.Durable ?? ulong.MaxValue;

    /// <summary>Whether writes of the mapping, or its log, failed a short while ago: waiting makes nothing clean.</summary>
    internal bool IsHeldDirty => IsBackingOff || _log is { IsBackingOff: true };

    /// <summary>Has the log made durable what the flusher has found it is not.</summary>
    /// <param name="urgent">Whether the flusher is to write everything then.</param>
    internal void AskLog(bool urgent) => _log?.Ask(urgent);

    /// <summary>
    /// Puts a page under write-back, if it is dirty, no writer has it, and the log is durable up to its last change. The list lock is held.
    /// </summary>
    private unsafe bool TryTakeForWrite(Slot* slot, WriteRun run)
    {
        if (_log is not { } log)
        {
            if (!StateWord.TryBeginWriteBack(slot))
            {
                return false;
            }

            HandOverLsns(slot, run);
            return true;
        }

        while (true)
        {
            // The number is of the page as it was when the word was read: a writer that came since has moved the version.
            ulong state = StateWord.Load(slot);
            if (!StateWord.CanBeginWriteBack(state))
            {
                return false;
            }

            ulong lsn = Volatile.Read(ref HeadOf(slot)->Lsn);
            if (lsn > log.Durable)
            {
                log.Want(lsn);
                return false;
            }

            if (StateWord.TryBeginWriteBack(slot, state))
            {
                HandOverLsns(slot, run);
                return true;
            }
        }
    }

    /// <summary>The number itself if the log is not durable up to it, otherwise 0.</summary>
    private ulong MissingFromLog(ulong lsn)
    {
        if (_log is not { } log || lsn <= log.Durable)
        {
            return 0;
        }

        log.Refresh();
        return lsn <= log.Durable ? 0 : lsn;
    }

    /// <summary>Has the log made durable up to the last change of all pages that are dirty now.</summary>
    /// <returns>Why it is not; null if it is.</returns>
    private async Task<PageWriteException?> TryEnsureLogAsync(CancellationToken cancellationToken)
    {
        if (_log is null || DirtyPages == 0)
        {
            return null;
        }

        ulong lsn = MissingFromLog(HighestDirtyLsn(out long page));
        if (lsn == 0)
        {
            return null;
        }

        try
        {
            await EnsureLogAsync(page, lsn, cancellationToken).ConfigureAwait(true);
            return null;
        }
        catch (PageWriteException error)
        {
            return error;
        }
    }

    /// <summary>Has the log made durable up to a page's last change.</summary>
    /// <exception cref="PageWriteException">The log has failed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    private async Task EnsureLogAsync(long page, ulong lsn, CancellationToken cancellationToken)
    {
        try
        {
            await _log!.EnsureAsync(lsn, cancellationToken).ConfigureAwait(true);
        }
        catch (Exception error) when (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw Throw.MakeLogFailed(this, page, lsn, error);
        }
    }

    /// <summary>The highest number that a dirty page is marked with, and the page; 0 if none is.</summary>
    private unsafe ulong HighestDirtyLsn(out long highestPage)
    {
        DirtyPage highest = default;
        foreach (Slot* slot in WalkDirty())
        {
            if (TryLookAtDirty(slot, out DirtyPage page) && page.Lsn > highest.Lsn)
            {
                highest = page;
            }
        }

        highestPage = highest.Page;
        return highest.Lsn;
    }
}
