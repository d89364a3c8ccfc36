using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Engine;

/// <content>What clients do.</content>
internal sealed partial class EngineRun
{
    private static readonly (string Name, Func<EngineRun, FileModel, Task?> Begin)[] s_operations =
    [
        ("read", static (run, file) => run.WithPage(file, run.ReadAsync)),
        ("optimistic", static (run, file) => run.WithPage(file, run.ReadOptimisticAsync)),
        ("pin", static (run, file) => run.WithPage(file, run.PinAsync)),
        ("write", static (run, file) => run.WithPageToWrite(file, run.Length(file), run.WriteAsync)),
        ("write-new", static (run, file) => run.WithPageToWrite(file, file.PagesAtMost, run.WriteNewAsync)),
        ("flush", static (run, file) => run.FlushAsync(file)),
        ("flush-all", static (run, _) => run.FlushAllAsync()),
        ("checkpoint", static (run, file) => run.CheckpointAsync(file)),
        ("look-at-dirt", static (run, file) => run.LookAtDirt(file)),
        ("extend", static (run, file) => run.ExtendAsync(file)),
        ("truncate", static (run, file) => run.TryTruncate(file)),
        ("punch", static (run, file) => run.TryPunch(file)),
        ("prefetch", static (run, file) => run.Prefetch(file)),
        ("drop", static (run, file) => run.Drop(file)),
        ("resize", static (run, _) => run.ResizeAsync()),
        ("reopen", static (run, file) => run.TryReopen(file)),
    ];

    /// <inheritdoc/>
    public Operation? BeginOperation()
    {
        ThrowIfWrittenBeforeLog();
        FileModel file = _world.Random.Pick(_files);
        if (file.IsReopening)
        {
            return null;
        }

        int which = _weights.Next();
        Task? task = file.Mapping.State == MappingState.Failed && _world.Random.PerMille(100)
            ? TryReopen(file)
            : s_operations[which].Begin(this, file);
        file.NoteLength();
        return task is null ? null : new Operation($"{s_operations[which].Name} {file.Name}", task);
    }

    private bool HasFlushFailed => _world.Disk.HasStruck(Fault.FlushError, Fault.DroppingFlush);

    private long Length(FileModel file) => Math.Min(file.PagesAtMost, file.Mapping.PageCount);

    private Task? WithPage(FileModel file, Func<FileModel, long, Task> act)
    {
        long pages = Length(file);
        return pages == 0 ? null : act(file, _world.Random.Below(pages));
    }

    private Task? WithPageToWrite(FileModel file, long pages, Func<FileModel, long, Task> act)
    {
        if (pages == 0)
        {
            return null;
        }

        long page = _world.Random.Below(pages);
        return file.IsVanishing(page) ? null : WriteCountedAsync(file, page, act);
    }

    private async Task WriteCountedAsync(FileModel file, long page, Func<FileModel, long, Task> act)
    {
        file[page].Writers++;
        await act(file, page).ConfigureAwait(false);
        file[page].Writers--;
    }

    private async Task ReadAsync(FileModel file, long page)
    {
        await OutcomeOf(file, page, async cancellation =>
        {
            using PageReadLease lease = await file.Mapping.ReadAsync(page, cancellation).ConfigureAwait(false);
            file.Check(page, lease.Span);
            await MaybePauseAsync().ConfigureAwait(false);
            file.Check(page, lease.Span);
        }).ConfigureAwait(false);
    }

    private async Task ReadOptimisticAsync(FileModel file, long page)
    {
        byte[] bytes = new byte[PageSize];
        await OutcomeOf(file, page, async cancellation =>
        {
            OptimisticRead read = await file.Mapping.ReadOptimisticAsync(page, cancellation).ConfigureAwait(false);
            read.Span.CopyTo(bytes);
            if (read.Validate())
            {
                file.Check(page, bytes);
            }
        }).ConfigureAwait(false);
    }

    private async Task PinAsync(FileModel file, long page)
    {
        await OutcomeOf(file, page, async cancellation =>
        {
            using PagePin pin = await file.Mapping.PinAsync(page, cancellation).ConfigureAwait(false);
            for (int reads = _world.Random.Below(4); reads > 0; reads--)
            {
                await MaybePauseAsync().ConfigureAwait(false);
                using PageReadLease lease = await pin.ReadAsync(cancellation).ConfigureAwait(false);
                file.Check(page, lease.Span);
            }
        }).ConfigureAwait(false);
    }

    private async Task WriteAsync(FileModel file, long page)
    {
        await OutcomeOf(file, page, async cancellation =>
        {
            using PageWriteLease lease = await file.Mapping.WriteAsync(page, cancellation).ConfigureAwait(false);
            file.Check(page, lease.Span);
            await ChangeAsync(file, page, lease).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    private async Task WriteNewAsync(FileModel file, long page)
    {
        await OutcomeOf(file, page, async cancellation =>
        {
            using PageWriteLease lease = await file.Mapping.WriteNewAsync(page, cancellation).ConfigureAwait(false);
            if (lease.Span.ContainsAnyExcept((byte)0))
            {
                throw new ViolationException($"Page {page} of '{file.Name}' was to be new and is not zeros.");
            }

            await ChangeAsync(file, page, lease).ConfigureAwait(false);
        }).ConfigureAwait(false);
        file.NoteLength();
    }

    private async Task ChangeAsync(FileModel file, long page, PageWriteLease lease)
    {
        long version = ++_versions;
        PageStamp.WritePage(lease.Span, file.Number, page, version);
        ulong lsn = 0;
        if (_log is null || _world.Random.PerMille(100))
        {
            lease.MarkDirty();
        }
        else
        {
            lsn = (ulong)version;
            _log.Append(lsn);
            lease.MarkDirty(lsn);
        }

        await MaybePauseAsync().ConfigureAwait(false);

        // The lease is returned next, and nothing happens in between.
        file.Change(page, version, lsn);
    }

    private async Task FlushAsync(FileModel file)
    {
        file.NoteLength();
        long sequence = file.Sequence;
        int life = file.Life;
        if (await OutcomeOf(file, page: -1, cancellation => file.Mapping.FlushAsync(cancellation).AsTask()).ConfigureAwait(false))
        {
            file.Flushed(sequence, life);
        }
    }

    private async Task CheckpointAsync(FileModel file)
    {
        file.NoteLength();
        long sequence = file.Sequence;
        int life = file.Life;
        CheckpointOptions options = new()
        {
            Duration = TimeSpan.FromMilliseconds(_world.Random.PerMille(500) ? 0 : _world.Random.Magnitude(1, 1000)),
            BytesPerSecond = _world.Random.PerMille(700) ? 0 : _world.Random.Magnitude(PageSize, 1 << 24),
        };
        ulong? oldest = null;
        if (await OutcomeOf(file, page: -1, async cancellation =>
            oldest = (await file.Mapping.CheckpointAsync(options, cancellation).ConfigureAwait(false)).OldestLsn).ConfigureAwait(false))
        {
            file.Flushed(sequence, life);
            if (oldest is { } lsn && file.Life == life)
            {
                file.FlushedBelow(lsn);
            }
        }
    }

    private Task? LookAtDirt(FileModel file)
    {
        if (_log is null)
        {
            return null;
        }

        DirtyPageTable dirt = file.Mapping.GetDirtyPages();
        foreach (DirtyPage page in dirt.Pages)
        {
            if (page.RecoveryLsn > page.Lsn || page.Lsn > _log.End || (page.RecoveryLsn > 0 && !(dirt.OldestLsn <= page.RecoveryLsn)))
            {
                throw new ViolationException($"Dirty pages of '{file.Name}' begin with {dirt.OldestLsn}, the log ends with {_log.End}, and one is {page}.");
            }
        }

        file.FlushedBelow(dirt.OldestLsn ?? _log.End + 1);
        return Task.CompletedTask;
    }

    private async Task FlushAllAsync()
    {
        (FileModel File, long Sequence, int Life)[] before = [.. _files.Select(file => (file, file.Sequence, file.Life))];
        try
        {
            await _cache.Current.FlushAsync().ConfigureAwait(false);
        }
        catch (AggregateException errors)
        {
            foreach (Exception error in errors.InnerExceptions)
            {
                ThrowUnlessCaused(error, isExpected: false);
            }

            return;
        }
        catch (PageCacheException error)
        {
            ThrowUnlessCaused(error, isExpected: false);
            return;
        }

        foreach ((FileModel file, long sequence, int life) in before.Where(static at => at.File.Life == at.Life && !at.File.IsReopening))
        {
            file.Flushed(sequence, life);
        }
    }

    private async Task ExtendAsync(FileModel file)
    {
        long pages = _world.Random.Below((long)file.PagesAtMost) + 1;
        await OutcomeOf(file, page: -1, cancellation => file.Mapping.ExtendAsync(pages * PageSize, cancellation).AsTask()).ConfigureAwait(false);
        file.NoteLength();
    }

    private Task? TryTruncate(FileModel file)
    {
        long pages = Length(file);
        long kept = pages == 0 ? 0 : _world.Random.Below(pages);
        return pages == 0 || file.Vanishing.End > 0 || !file.IsQuiet(kept, file.PagesAtMost) ? null : TruncateAsync(file, kept);
    }

    private async Task TruncateAsync(FileModel file, long pages)
    {
        file.Vanishing = (pages, file.PagesAtMost);
        file.TruncatingTo = pages;
        bool done = await OutcomeOf(file, page: -1, async cancellation =>
        {
            await file.Mapping.TruncateAsync(pages * PageSize, cancellation).ConfigureAwait(false);
            file.Zero(pages, file.PagesAtMost);
        }).ConfigureAwait(false);
        file.Vanishing = default;
        file.TruncatingTo = null;
        file.NoteLength();
        _world.Trace.Add("truncated", file.Name, pages, done ? 1 : 0);
    }

    private Task? TryPunch(FileModel file)
    {
        long pages = Length(file);
        if (pages == 0 || file.Vanishing.End > 0)
        {
            return null;
        }

        long first = _world.Random.Below(pages);
        long end = first + 1 + _world.Random.Below(pages - first);
        return file.IsQuiet(first, end) ? PunchAsync(file, first, end) : null;
    }

    private async Task PunchAsync(FileModel file, long first, long end)
    {
        file.Vanishing = (first, end);
        file.MayBeZeros(first, end);
        bool isPartly = false;
        await OutcomeOf(file, page: -1, async cancellation =>
        {
            isPartly = true;
            await file.Mapping.PunchAsync(first, end - first, cancellation).ConfigureAwait(false);
            isPartly = false;
            file.Zero(first, end);
        }).ConfigureAwait(false);

        // After a failure nobody knows how far the device went: it stays uncertain until the pages are written.
        file.Vanishing = isPartly ? (first, end) : default;
        if (isPartly)
        {
            await SettlePunchedAsync(file, first, end).ConfigureAwait(false);
        }
    }

    /// <summary>Writes all pages of a range whose content nobody knows.</summary>
    private async Task SettlePunchedAsync(FileModel file, long first, long end)
    {
        for (long page = first; page < end; page++)
        {
            while (file.Mapping.State == MappingState.Open && !file.IsReopening && page < Length(file))
            {
                bool written = await OutcomeOf(file, page, async cancellation =>
                {
                    using PageWriteLease lease = await file.Mapping.WriteNewAsync(page, CancellationToken.None).ConfigureAwait(false);
                    await ChangeAsync(file, page, lease).ConfigureAwait(false);
                }).ConfigureAwait(false);
                if (written)
                {
                    break;
                }

                await _world.PauseAsync().ConfigureAwait(false);
            }
        }

        file.Vanishing = default;
    }

    private Task? Prefetch(FileModel file) => WithPage(file, (_, page) =>
    {
        file.Mapping.Prefetch(page, _world.Random.Between(1, 16));
        return Task.CompletedTask;
    });

    private Task? Drop(FileModel file) => WithPage(file, (_, page) =>
    {
        file.Mapping.DontNeed(page, _world.Random.Between(1, 64));
        return Task.CompletedTask;
    });

    private async Task ResizeAsync()
    {
        try
        {
            await _cache.Current.ResizeAsync(_cache.Memory + _world.Random.Below(_cache.Memory)).ConfigureAwait(false);
        }
        catch (CacheFullException)
        {
            // Pages that are held, or that the disk does not take, may be in the way for longer than the patience lasts.
        }
    }

    private Task? TryReopen(FileModel file) => file.Vanishing.End > 0 ? null : ReopenAsync(file);

    private async Task ReopenAsync(FileModel file)
    {
        file.IsReopening = true;
        while (file.Mapping.State != MappingState.Closed)
        {
            bool isAbandoned = _world.Random.PerMille(200);
            try
            {
                await (isAbandoned ? file.Mapping.AbandonAsync() : file.Mapping.CloseAsync()).ConfigureAwait(false);
                if (!isAbandoned && file.Mapping.Failure is null)
                {
                    file.Flushed(file.Sequence, file.Life);
                }
            }
            catch (MappingBusyException)
            {
                // Somebody reads, or waits for the disk.
                await _world.PauseAsync().ConfigureAwait(false);
            }
            catch (PageCacheException error)
            {
                ThrowUnlessCaused(error, isExpected: false);
                await _world.PauseAsync().ConfigureAwait(false);
            }
        }

        file.Recover(isSettled: false);
        await MapAsync(file).ConfigureAwait(false);
        file.IsReopening = false;
    }

    private Task MaybePauseAsync() => _world.Random.PerMille(500) ? _world.PauseAsync() : Task.CompletedTask;

    /// <summary>Runs something that may fail if the disk has given cause for it, and may be cancelled. Returns whether it has succeeded.</summary>
    private async Task<bool> OutcomeOf(FileModel file, long page, Func<CancellationToken, Task> act)
    {
        using CancellationTokenSource source = new();
        int life = file.Life;
        if (_world.Random.PerMille(50))
        {
            _ = CancelLaterAsync(source);
        }

        try
        {
            await act(source.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (source.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception error) when (error is PageCacheException or MappingClosedException)
        {
            ThrowUnlessCaused(error, isExpected: error switch
            {
                MappingClosedException => file.IsReopening || file.Life != life,
                PageTruncatedException => page >= file.Mapping.PageCount || file.IsVanishing(page),
                _ => false,
            });
            return false;
        }
    }

    private async Task CancelLaterAsync(CancellationTokenSource source)
    {
        await _world.PauseAsync().ConfigureAwait(false);
        try
        {
            await source.CancelAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // It is over.
        }
    }

    /// <summary>Every error has its cause: in what the disk has done, or in what clients do to each other.</summary>
    private void ThrowUnlessCaused(Exception error, bool isExpected)
    {
        bool isCaused = isExpected || error switch
        {
            PageReadException => _world.Disk.HasStruck(Fault.ReadError, Fault.BadSectors),
            PageWriteException => _world.Disk.HasStruck(Fault.WriteError, Fault.TornWrite, Fault.ShortWrite, Fault.BadSectors, Fault.NoSpace)
                || (_log is not null && HasFlushFailed),
            FlushFailedException or MappingFailedException => HasFlushFailed,

            // Pages that the disk does not take, or not give, are in the way of others.
            CacheFullException or LatchTimeoutException => true,
            _ => false,
        };
        if (!isCaused)
        {
            throw ViolationException.Uncaused(error);
        }
    }
}
