using StorageCache.IO;
using StorageCache.KeyValueStore.Checkpoints;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Space;

namespace StorageCache.KeyValueStore.Recovery;

/// <summary>Brings the two files of a store to where they agree: makes them, recovers them, or finds that nothing is to be done. One opening's.</summary>
/// <remarks>Whatever it refuses, it leaves as it is; only when it has understood both files does it write.</remarks>
internal sealed class StoreOpener(Mapping mapping, LogSeat seat, string path, KeyValueStoreOptions options)
{
    /// <summary>Pages that are written before the meta page when a store is made.</summary>
    private const long FirstPages = MapLayout.FirstMapPage + 1;

    /// <summary>What a device writes whole or not at all, in bytes.</summary>
    private const int SectorSize = 512;

    private readonly PageLimits _limits = new(mapping.PageSize);
    private readonly PageVerifier _verifier = new(mapping);
    private readonly LogOptions _logOptions = new()
    {
        SegmentBytes = options.LogSegmentSize,
        MinimumSegments = 1,
        TimeProvider = options.TimeProvider,
        EpochSource = options.NewEpoch,
        BlockBytes = options.LogBlockBytes,
        BufferBytes = options.LogBufferBytes,
    };

    private IBlockDevice? _device;
    private WriteAheadLog? _log;
    private RecoveryReport _recovery = RecoveryReport.None;

    /// <summary>Whether the file in the log's place is this store's. Until it is, it may be anybody's.</summary>
    public bool OwnsLogFile { get; private set; }

    /// <summary>Opens or makes the store.</summary>
    /// <param name="mayCreate">Whether an empty file becomes a store.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <remarks>After an exception the log's file is closed again.</remarks>
    public async ValueTask<OpenedStore> OpenAsync(bool mayCreate, CancellationToken cancellationToken)
    {
        try
        {
            MetaPage meta = mayCreate && await IsUnmadeAsync(cancellationToken).ConfigureAwait(false)
                ? await CreateAsync(cancellationToken).ConfigureAwait(false)
                : await OpenExistingAsync(cancellationToken).ConfigureAwait(false);
            return await CompleteAsync(meta, cancellationToken).ConfigureAwait(false);
        }
        catch (LogException exception)
        {
            await CloseLogAsync().ConfigureAwait(false);
            throw Translate(exception);
        }
        catch
        {
            await CloseLogAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Makes a clone, whose pages are those of a store at a checkpoint, a store of its own.</summary>
    /// <param name="source">What the source's meta page said of these pages.</param>
    /// <param name="firstLsn">At least every LSN that is in a page.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<OpenedStore> AdoptAsync(MetaPage source, ulong firstLsn, CancellationToken cancellationToken)
    {
        try
        {
            // What the source's file has behind its last page belongs to a change that was given up.
            long length = source.Contents.PageCount * _limits.PageSize;
            if (mapping.Length > length)
            {
                await mapping.TruncateAsync(length, cancellationToken).ConfigureAwait(false);
            }

            MetaPage meta = await CreateLogAsync(source, firstLsn, cancellationToken).ConfigureAwait(false);
            return await CompleteAsync(meta, cancellationToken).ConfigureAwait(false);
        }
        catch (LogException exception)
        {
            await CloseLogAsync().ConfigureAwait(false);
            throw Translate(exception);
        }
        catch
        {
            await CloseLogAsync().ConfigureAwait(false);
            throw;
        }
    }

    private KeyValueStoreException Translate(LogException exception) => exception switch
    {
        LogCorruptException => new CorruptLogException(path, exception.Message.TrimEnd('.'), exception),
        LogFailedException => new StoreFailedException(path, exception),
        _ => new StoreFormatException(path, exception.Message.TrimEnd('.'), exception),
    };

    /// <summary>Whether the file is empty, or what was left when making a store was interrupted: then its meta page, which comes last, is not there.</summary>
    private async ValueTask<bool> IsUnmadeAsync(CancellationToken cancellationToken)
    {
        if (mapping.Length == 0)
        {
            return true;
        }

        if (mapping.PageCount > FirstPages || mapping.Length < mapping.PageSize)
        {
            return false;
        }

        for (long page = 0; page < mapping.PageCount; page++)
        {
            byte[] image = FirstImage(page);
            using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
            for (int offset = 0; offset < image.Length; offset += SectorSize)
            {
                ReadOnlySpan<byte> sector = lease.Span.Slice(offset, SectorSize);
                if (sector.ContainsAnyExcept((byte)0) && !sector.SequenceEqual(image.AsSpan(offset, SectorSize)))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Makes an empty file into an empty store: the log, the first pages, and when they are durable the meta page.</summary>
    private async ValueTask<MetaPage> CreateAsync(CancellationToken cancellationToken)
    {
        // Before anything is written: beside a log that is refused the file may be a store, and only look empty.
        _ = await OpenLogPlaceAsync(cancellationToken).ConfigureAwait(false);
        for (long page = MetaPage.RootPage; page < FirstPages; page++)
        {
            PageWriteLease lease = await mapping.WriteNewAsync(page, cancellationToken).ConfigureAwait(false);
            try
            {
                lease.Replace(FirstImage(page), lsn: 0, PageTrust.Bytes);
            }
            finally
            {
                lease.Dispose();
            }
        }

        await mapping.FlushAsync(cancellationToken).ConfigureAwait(false);
        MetaPage meta = new()
        {
            PageSize = _limits.PageSize,
            State = StoreState.Clean,
            LogIdentity = default,
            RedoPoint = 0,
            Checkpoint = 0,
            Contents = StoreContents.Empty,
        };
        return await CreateLogAsync(meta, firstLsn: 0, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What a page of a new store holds before the meta page is written.</summary>
    private byte[] FirstImage(long page)
    {
        byte[] image = new byte[_limits.PageSize];
        switch (page)
        {
            case MetaPage.RootPage:
                PageHeader.InitializeTree(image, level: 0, next: 0, previous: 0);
                PageChecksum.Write(image, page);
                break;
            case MapLayout.FirstMapPage:
                MapPage.Initialize(image, firstMapped: 0);
                for (int used = 0; used < FirstPages; used++)
                {
                    MapPage.SetUsed(image, used, true);
                }

                PageChecksum.Write(image, page);
                break;
        }

        return image;
    }

    /// <summary>Makes a log for a file whose pages are all there, and has the meta page name it.</summary>
    private async ValueTask<MetaPage> CreateLogAsync(MetaPage meta, ulong firstLsn, CancellationToken cancellationToken)
    {
        IBlockDevice device = _device ?? await OpenLogPlaceAsync(cancellationToken).ConfigureAwait(false);
        Guid identity = options.NewIdentity();
        OwnsLogFile = true;
        _log = await WriteAheadLog.CreateAsync(device, identity, firstLsn, _logOptions, cancellationToken).ConfigureAwait(false);
        meta = meta with { State = StoreState.Clean, LogIdentity = identity, RedoPoint = _log.NextLsn };
        if (mapping.PageCount == 0)
        {
            await mapping.ExtendAsync(mapping.PageSize, cancellationToken).ConfigureAwait(false);
        }

        await new StoreMeta(mapping, meta).WriteAsync(_ => meta, cancellationToken).ConfigureAwait(false);
        return meta;
    }

    /// <summary>Opens or makes the file for a new log, and makes sure that it is nobody's.</summary>
    private async ValueTask<IBlockDevice> OpenLogPlaceAsync(CancellationToken cancellationToken)
    {
        _device = await options.Files.OpenLogAsync(mapping.Cache, path, create: true, isReadOnly: false, cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"There is no log for '{path}', though it was to be made.");
        await RefuseForeignAsync(_device, cancellationToken).ConfigureAwait(false);
        return _device;
    }

    /// <summary>
    /// A file in the log's place that is no log is somebody's, and is left alone. So is a log that has been used: its store's pages may have been moved away, and
    /// it may have changes that they have not.
    /// </summary>
    private async ValueTask RefuseForeignAsync(IBlockDevice device, CancellationToken cancellationToken)
    {
        try
        {
            WriteAheadLog old = await WriteAheadLog.OpenAsync(device, Guid.Empty, redoPoint: 1, _logOptions, cancellationToken).ConfigureAwait(false);
            await old.DisposeAsync().ConfigureAwait(false);
        }
        catch (LogFormatException exception) when (exception.Defect == LogDefect.NotALog)
        {
            throw new StoreFormatException(path, $"in the place of its log is '{device.Name}', which is none", exception);
        }
        catch (LogException exception)
        {
            if (await WriteAheadLog.WasUsedAsync(device, cancellationToken).ConfigureAwait(false))
            {
                throw new StoreFormatException(
                    path, $"in the place of its log is '{device.Name}', the log of a store whose pages are not here: put them back, or move that log away", exception);
            }
        }
    }

    private async ValueTask<MetaPage> OpenExistingAsync(CancellationToken cancellationToken)
    {
        // What is about to be read may have got no further than a volatile cache. The log below the redo point is used again, so that must not come back (KV-17).
        await mapping.FlushAsync(cancellationToken).ConfigureAwait(false);
        MetaPage meta = await ReadMetaAsync(cancellationToken).ConfigureAwait(false);
        if (mapping.Length / _limits.PageSize < meta.Contents.PageCount)
        {
            // Redo gives it pages, but not those that it had at the redo point and that have not changed since.
            throw WrongLength(meta);
        }

        _device = await options.Files.OpenLogAsync(mapping.Cache, path, create: false, mapping.IsReadOnly, cancellationToken).ConfigureAwait(false);
        if (_device is null)
        {
            if (meta.State != StoreState.Clean)
            {
                throw new StoreNotCleanException(path, "its log is missing", canRecover: false);
            }

            if (!mapping.IsReadOnly)
            {
                return await ReplaceLogAsync(meta, cancellationToken).ConfigureAwait(false);
            }

            await RefuseNewerPagesAsync(meta.RedoPoint, cancellationToken).ConfigureAwait(false);
            return meta;
        }

        try
        {
            _log = await WriteAheadLog.OpenAsync(_device, meta.LogIdentity, meta.RedoPoint, _logOptions, cancellationToken).ConfigureAwait(false);
        }
        catch (LogFormatException exception) when (exception.Defect == LogDefect.Unfinished && meta.State == StoreState.Clean && !mapping.IsReadOnly)
        {
            await CloseLogAsync().ConfigureAwait(false);
            return await ReplaceLogAsync(meta, cancellationToken).ConfigureAwait(false);
        }
        catch (LogFormatException exception) when (exception.Defect == LogDefect.Unfinished && meta.State != StoreState.Clean)
        {
            throw new StoreNotCleanException(path, "its log never was finished", canRecover: false, exception);
        }

        seat.Log = _log;
        await RefuseNewerPagesAsync(_log.EndLsn, cancellationToken).ConfigureAwait(false);
        Redo redo = new(mapping, _log, _verifier);
        StoreContents contents = await redo.FindAsync(meta.Contents, cancellationToken).ConfigureAwait(false);

        // Not the state alone: should the device have lost the write that says in flux, the log still knows.
        return meta.State == StoreState.Clean && redo.Commits == 0 ? meta : await RecoverAsync(meta, redo, contents, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Looks at the root and the map pages as the device has them, before redo does: none of them may have a change that the log does not reach (KV-23).</summary>
    /// <param name="end">Where the log ends.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <remarks>Says nothing of pages that are torn or cannot be read: redo may make them whole, and if it does not, whoever reads them is told.</remarks>
    private async ValueTask RefuseNewerPagesAsync(ulong end, CancellationToken cancellationToken)
    {
        _verifier.Reach.Fix(end);
        MapLayout layout = new(_limits.PageSize);
        for (int group = 0; group < layout.GroupCount(mapping.PageCount); group++)
        {
            await RefuseNewerAsync(layout.MapPageOf(group), cancellationToken).ConfigureAwait(false);
        }

        await RefuseNewerAsync(MetaPage.RootPage, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask RefuseNewerAsync(long page, CancellationToken cancellationToken)
    {
        if (page >= mapping.PageCount)
        {
            return;
        }

        try
        {
            using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
            if (PageChecksum.IsValid(lease.Span, page) && _verifier.Reach.ProblemOf(lease.Span) is { } problem)
            {
                throw new CorruptStoreException(path, page, problem);
            }
        }
        catch (PageReadException)
        {
            // As with one that is torn.
        }
    }

    /// <summary>Makes a new log for a store that was closed and has none, once it is certain that the file is whole.</summary>
    private async ValueTask<MetaPage> ReplaceLogAsync(MetaPage meta, CancellationToken cancellationToken)
    {
        RequireLength(meta);
        await RefuseNewerPagesAsync(meta.RedoPoint, cancellationToken).ConfigureAwait(false);
        await RestoreAsync(new PageAllocator(_limits, new ActiveReads()), meta, cancellationToken).ConfigureAwait(false);
        IBlockDevice device = await OpenLogPlaceAsync(cancellationToken).ConfigureAwait(false);

        // Named before it is there: of a crash in between, the next opening finds a store that was closed and has no log, as this one did. The other way
        // round it would find another store's.
        MetaPage next = meta with { LogIdentity = options.NewIdentity(), RedoPoint = WriteAheadLog.FirstLsnFrom(meta.RedoPoint) };
        await new StoreMeta(mapping, meta).WriteAsync(_ => next, cancellationToken).ConfigureAwait(false);
        _log = await WriteAheadLog.CreateAsync(device, next.LogIdentity, next.RedoPoint, _logOptions, cancellationToken).ConfigureAwait(false);
        return next;
    }

    private async ValueTask<MetaPage> ReadMetaAsync(CancellationToken cancellationToken)
    {
        if (mapping.Length < MetaPage.Size)
        {
            throw new StoreFormatException(path, $"it is not a key-value store: it has {mapping.Length} bytes, less than a store's header");
        }

        using PageReadLease lease = await mapping.ReadAsync(MetaPage.PageNumber, cancellationToken).ConfigureAwait(false);
        return MetaPage.Read(lease.Span, path, mapping.PageSize);
    }

    private void RequireLength(MetaPage meta)
    {
        if (mapping.Length % _limits.PageSize != 0 || mapping.PageCount != meta.Contents.PageCount)
        {
            throw WrongLength(meta);
        }
    }

    private CorruptStoreException WrongLength(MetaPage meta) => new(
        path,
        MetaPage.PageNumber,
        $"the file has {mapping.Length} bytes, the meta page says {meta.Contents.PageCount} pages of {_limits.PageSize} bytes: it was cut off or added to");

    /// <summary>Does again what was committed, writes it, and moves the redo point to the end of the log.</summary>
    private async ValueTask<MetaPage> RecoverAsync(MetaPage meta, Redo redo, StoreContents contents, CancellationToken cancellationToken)
    {
        if (mapping.IsReadOnly)
        {
            throw new StoreNotCleanException(path, "it is to be opened for reading only; opened for writing, it recovers by itself", canRecover: true);
        }

        long began = options.TimeProvider.GetTimestamp();
        await redo.ApplyAsync(cancellationToken).ConfigureAwait(false);
        ulong end = _log!.EndLsn;
        await _log.BeginAsync(cancellationToken).ConfigureAwait(false);

        // What was written beyond the last page belongs to a change that was not committed.
        long length = contents.PageCount * _limits.PageSize;
        if (mapping.Length > length)
        {
            await mapping.TruncateAsync(length, cancellationToken).ConfigureAwait(false);
        }

        await mapping.ExtendAsync(length, cancellationToken).ConfigureAwait(false);
        ulong redoPoint = _log.NextLsn;
        await mapping.FlushAsync(cancellationToken).ConfigureAwait(false);
        MetaPage recovered = meta with { State = StoreState.Clean, RedoPoint = redoPoint, Checkpoint = meta.Checkpoint + 1, Contents = contents };
        await new StoreMeta(mapping, meta).WriteAsync(_ => recovered, cancellationToken).ConfigureAwait(false);
        await _log.RecycleBelowAsync(redoPoint, cancellationToken).ConfigureAwait(false);
        _recovery = new RecoveryReport
        {
            WasNeeded = true,
            RedoPoint = meta.RedoPoint,
            EndLsn = end,
            Commits = redo.Commits,
            PageChanges = redo.PageChanges,
            Duration = options.TimeProvider.GetElapsedTime(began),
        };
        return recovered;
    }

    /// <summary>Reads the map pages, holds them against the counts, and pins the root.</summary>
    private async ValueTask<OpenedStore> CompleteAsync(MetaPage meta, CancellationToken cancellationToken)
    {
        RequireLength(meta);
        if (mapping.IsReadOnly)
        {
            // It has nothing that the file has not.
            await CloseLogAsync().ConfigureAwait(false);
        }

        seat.Log = _log;
        if (_log is not null)
        {
            _verifier.Reach.Follow(_log);
        }

        ActiveReads activeReads = new();
        PageAllocator allocator = new(_limits, activeReads);
        try
        {
            await RestoreAsync(allocator, meta, cancellationToken).ConfigureAwait(false);
        }
        catch (CorruptStoreException) when (mapping.IsReadOnly)
        {
            // Whoever only reads needs no free page. The check says what is wrong.
            allocator.Restore(meta.Contents.PageCount);
        }

        return new OpenedStore
        {
            Mapping = mapping,
            Limits = _limits,
            Verifier = _verifier,
            ActiveReads = activeReads,
            Allocator = allocator,
            Root = await mapping.PinAsync(MetaPage.RootPage, cancellationToken).ConfigureAwait(false),
            Meta = meta,
            LogDevice = _device,
            Log = _log,
            Recovery = _recovery,
        };
    }

    private async ValueTask RestoreAsync(PageAllocator allocator, MetaPage meta, CancellationToken cancellationToken)
    {
        MapLayout layout = new(_limits.PageSize);
        allocator.Restore(meta.Contents.PageCount);
        for (int group = 0; group < layout.GroupCount(meta.Contents.PageCount); group++)
        {
            long page = layout.MapPageOf(group);
            using PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false);
            _verifier.Verify(lease);
            if (!MapPage.IsMapOf(lease.Span, layout.FirstPageOf(group)) || !allocator.RestoreGroup(group, lease.Span))
            {
                throw new CorruptStoreException(path, page, "it is not the map page that it should be");
            }
        }

        TreeCounts counts = meta.Contents.Counts;
        long used = 1 + allocator.MapPages + counts.LeafPages + counts.BranchPages + counts.OverflowPages;
        if (used + allocator.FreePages != allocator.PageCount)
        {
            throw new CorruptStoreException(
                path, MetaPage.PageNumber, $"the counts contradict each other: {used} pages in use and {allocator.FreePages} free, of {allocator.PageCount}");
        }
    }

    private async ValueTask CloseLogAsync()
    {
        seat.Log = null;
        if (_log is not null)
        {
            await _log.DisposeAsync().ConfigureAwait(false);
            _log = null;
        }

        if (_device is not null)
        {
            await _device.DisposeAsync().ConfigureAwait(false);
            _device = null;
        }
    }
}
