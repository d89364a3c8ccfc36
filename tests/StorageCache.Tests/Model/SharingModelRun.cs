using Microsoft.Win32.SafeHandles;
using StorageCache.IO;
using StorageCache.Platform;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Model;

/// <summary>
/// Runs a sequence on files that are clones and copies of each other, and on an array of bytes for each. What is held is compared at
/// every step.
/// </summary>
internal sealed class SharingModelRun : IAsyncDisposable
{
    private const int FilesAtFirst = 3;
    private const int FilesAtMost = 7;
    private const int HoldsAtMost = 4;
    private const int PinsAtMost = 3;

    private readonly int _pageSize;
    private readonly string? _directory;
    private readonly PageCache _cache;
    private readonly SharingDomain _domain;
    private readonly List<Mapping> _mappings = [];
    private readonly List<FileModel> _models = [];
    private readonly List<MemoryBlockDevice> _devices = [];
    private readonly List<string> _paths = [];
    private readonly List<(int File, ProtectedPage Page, byte[] Bytes)> _holds = [];
    private readonly List<(int File, PagePin Pin)> _pins = [];

    /// <param name="pageSize">Bytes.</param>
    /// <param name="isTiny">Whether the cache has as few frames as there can be.</param>
    /// <param name="isGuarded">Whether bytes are read through a view that cannot be written.</param>
    /// <param name="domain">What is shared.</param>
    /// <param name="directory">Where the files are; null for memory devices.</param>
    public SharingModelRun(int pageSize, bool isTiny, bool isGuarded, SharingDomain domain, string? directory)
    {
        _pageSize = pageSize;
        _directory = directory;
        _domain = domain;
        _cache = new PageCache(new PageCacheOptions
        {
            PageSize = pageSize,
            MemoryLimit = Limit(isTiny ? 64 : 1000),
            MaximumMemoryLimit = Limit(1200),
            FrameTimeout = TimeSpan.FromSeconds(20),
            LatchTimeout = TimeSpan.FromSeconds(20),
            WriteBackInterval = TimeSpan.FromMilliseconds(5),
            IoThreads = 2,
            Guarded = isGuarded,
            ScanPagesPerSecond = 10_000_000,
            ScanCpuShare = 1,
        });
    }

    public async Task RunAsync(IReadOnlyList<SharingOperation> operations)
    {
        for (int file = 0; file < FilesAtFirst; file++)
        {
            _models.Add(new FileModel(_pageSize));
            _devices.Add(new MemoryBlockDevice($"memory {file}"));
            _paths.Add(_directory is null ? "" : Path.Combine(_directory, $"{Guid.NewGuid():n}"));
            _mappings.Add(await OpenAsync(file));
        }

        foreach (SharingOperation operation in operations)
        {
            try
            {
                await StepAsync(operation with { File = operation.File % _mappings.Count });
            }
            catch (PageCacheException error)
            {
                throw new InvalidOperationException($"{operation} failed", error);
            }

            _holds.ForEach(CheckHold);
            Assert.True(_cache.Core.Budget.Used <= Math.Max(_cache.Core.Budget.Limit, Limit(1200)), $"the limit is not kept after {operation}");
        }

        await Quiet.CheckAsync(_cache, "at the end of the sequence", _pins.Count, _holds.Count);
        while (_holds.Count > 0)
        {
            LetGo(0);
        }

        _pins.ForEach(pin => pin.Pin.Dispose());
        _pins.Clear();
        for (int file = 0; file < _mappings.Count; file++)
        {
            await ReadAllAsync(file);
            await _mappings[file].FlushAsync();
            CompareDevice(file);
        }

        await Quiet.CheckAsync(_cache, "after the flush");
        for (int file = 0; file < _mappings.Count; file++)
        {
            await _mappings[file].CloseAsync();
            CompareDevice(file);
        }

        await Quiet.CheckAsync(_cache, "after the close");
        Assert.Equal(0, _cache.Core.PageTables.Leaves);
        Assert.Equal(0, _cache.Core.Heads.InUse);
        Assert.Equal(0, _cache.Core.Sharing.ByContent.Count + _cache.Core.Sharing.ByExtent.Count);
    }

    public async ValueTask DisposeAsync()
    {
        _holds.ForEach(hold => hold.Page.Dispose());
        _pins.ForEach(pin => pin.Pin.Dispose());
        await _cache.DisposeAsync();
        _paths.FindAll(path => path.Length > 0).ForEach(File.Delete);
    }

    private long Limit(int frames) => CacheCore.LeastMemory(_pageSize) + (Math.Max(0, frames - 64) * (long)(_pageSize + 256));

    private async Task<Mapping> OpenAsync(int file)
    {
        MappingOptions options = new() { SharingDomain = _domain };
        return _directory is null ? await _cache.OpenAsync(_devices[file], options) : await _cache.OpenAsync(_paths[file], options);
    }

    private async Task StepAsync(SharingOperation operation)
    {
        (SharingAction action, int file, int page, int value) = operation;
        Mapping mapping = _mappings[file];
        FileModel model = _models[file];
        switch (action)
        {
            case SharingAction.ReadAll:
                await ReadAllAsync(file);
                break;
            case SharingAction.WriteNew:
                using (PageWriteLease lease = await mapping.WriteNewAsync(page))
                {
                    model.Renew(page);
                    Change(file, page, lease, value);
                }

                break;
            case SharingAction.Copy:
                await CopyAsync(file, page, value, count: 1);
                break;
            case SharingAction.CopyRun:
                await CopyAsync(file, page, value, count: 24);
                break;
            case SharingAction.Clone when _directory is not null && _mappings.Count < FilesAtMost:
                _paths.Add(Path.Combine(_directory, $"{Guid.NewGuid():n}"));
                MappingClone clone = await mapping.CloneAsync(_paths[^1]);
                _mappings.Add(clone.Mapping);
                _models.Add(new FileModel(_pageSize));
                _models[^1].SetLength(model.Length);
                for (long i = 0; i < model.PageCount; i++)
                {
                    model.Page(i).CopyTo(_models[^1].Page(i));
                }

                break;
            case SharingAction.Truncate:
                long length = model.Length == 0 ? 0 : value % (model.Length + 1);
                length = value % 2 == 0 ? length / _pageSize * _pageSize : length;
                await mapping.TruncateAsync(length);
                model.SetLength(length);
                break;
            case SharingAction.Extend:
                long longer = (page * (long)_pageSize) + (value % 2 == 0 ? 0 : value % _pageSize);
                await mapping.ExtendAsync(longer);
                model.SetLength(Math.Max(longer, model.Length));
                break;
            case SharingAction.Punch:
                await mapping.PunchAsync(page, value % 40);
                model.Punch(page, value % 40);
                break;
            case SharingAction.Flush:
                await mapping.FlushAsync();
                CompareDevice(file);
                break;
            case SharingAction.FlushAll:
                await _cache.FlushAsync();
                Enumerable.Range(0, _mappings.Count).ToList().ForEach(CompareDevice);
                break;
            case SharingAction.DontNeed:
                mapping.DontNeed(page, value % 100);
                break;
            case SharingAction.Evict:
                _cache.Core.Reclaimer.Evict(value % 200);
                break;
            case SharingAction.Prefetch:
                mapping.Prefetch(page, value % 100);
                break;
            case SharingAction.LetGo when _holds.Count > 0:
                LetGo(value % _holds.Count);
                break;
            case SharingAction.Unpin when _pins.Count > 0:
                int index = value % _pins.Count;
                _pins[index].Pin.Dispose();
                _pins.RemoveAt(index);
                break;
            case SharingAction.Reopen:
                _pins.FindAll(pin => pin.File == file).ForEach(pin => pin.Pin.Dispose());
                _pins.RemoveAll(pin => pin.File == file);
                await mapping.CloseAsync();
                CompareDevice(file);
                _mappings[file] = await OpenAsync(file);
                break;
            case SharingAction.Resize:
                await _cache.ResizeAsync(Limit(value % 4 == 0 ? 1000 : 64 + (value % 100)));
                break;
            case SharingAction.Scan:
                long scanned = _cache.Core.Sharing.Scanner.PagesScanned;
                for (int i = 0; i < 20 && _domain.SharesContent && _cache.Core.Sharing.Scanner.PagesScanned < scanned + 500; i++)
                {
                    await Task.Delay(1);
                }

                break;
            default:
                if (page < model.PageCount)
                {
                    await UseAsync(operation);
                }

                break;
        }

        Assert.Equal(_models[file].Length, _mappings[file].Length);
    }

    private async Task UseAsync(SharingOperation operation)
    {
        (SharingAction action, int file, int page, int value) = operation;
        Mapping mapping = _mappings[file];
        switch (action)
        {
            case SharingAction.Read:
                using (PageReadLease lease = mapping.Read(page))
                {
                    Compare(file, page, lease.Span);
                }

                break;
            case SharingAction.ReadAsync:
                using (PageReadLease lease = await mapping.ReadAsync(page))
                {
                    Compare(file, page, lease.Span);
                }

                break;
            case SharingAction.ReadOptimistic:
                Peek(file, page, mapping.ReadOptimistic(page));
                break;
            case SharingAction.Write or SharingAction.WriteWhole:
                using (PageWriteLease lease = await mapping.WriteAsync(page))
                {
                    Compare(file, page, lease.Span);
                    Change(file, page, lease, action == SharingAction.Write ? value | 1 : value & ~1);
                }

                break;
            case SharingAction.TryWrite when mapping.TryWrite(page, out PageWriteLease lease):
                using (lease)
                {
                    Compare(file, page, lease.Span);
                    Change(file, page, lease, value);
                }

                break;
            case SharingAction.WriteUpgraded when mapping.ReadOptimistic(page).TryUpgrade(out PageWriteLease lease):
                using (lease)
                {
                    Compare(file, page, lease.Span);
                    Change(file, page, lease, value);
                }

                break;
            case SharingAction.WriteNothing:
                using (PageWriteLease lease = mapping.Write(page))
                {
                    Compare(file, page, lease.Span);
                }

                break;
            case SharingAction.Hold when _holds.Count < HoldsAtMost:
                KeepHold(file, await mapping.ProtectAsync(page, (ProtectionReason)(1 + (value % 3))));
                break;
            case SharingAction.HoldHere when _holds.Count < HoldsAtMost:
                if (mapping.TryProtect(page, (ProtectionReason)(1 + (value % 3)), out ProtectedPage? held, out _))
                {
                    KeepHold(file, held!);
                }

                break;
            case SharingAction.Pin when _pins.Count < PinsAtMost:
                _pins.Add((file, mapping.Pin(page)));
                break;
        }
    }

    private async Task ReadAllAsync(int file)
    {
        for (long page = 0; page < _models[file].PageCount; page++)
        {
            using PageReadLease lease = await _mappings[file].ReadAsync(page);
            Compare(file, page, lease.Span);
        }
    }

    /// <summary>Gives a page the bytes of another file's.</summary>
    private async Task CopyAsync(int file, int page, int value, int count)
    {
        int to = value % _mappings.Count;
        long end = Math.Min(page + count, _models[file].PageCount);
        for (long i = page; i < end; i++)
        {
            if (to == file && value % 3 == 0)
            {
                continue;
            }

            byte[] bytes = new byte[_pageSize];
            using (PageReadLease lease = await _mappings[file].ReadAsync(i))
            {
                Compare(file, i, lease.Span);
                lease.Span.CopyTo(bytes);
            }

            long target = value % 2 == 0 ? i : i + 1;
            using PageWriteLease copy = await _mappings[to].WriteNewAsync(target);
            _models[to].Renew(target);
            Span<byte> model = _models[to].Page(target);
            bytes.AsSpan(0, model.Length).CopyTo(model);
            model.CopyTo(copy.Span);
        }
    }

    private void Peek(int file, long page, OptimisticRead read)
    {
        byte[] copy = read.Span.ToArray();
        if (read.Validate())
        {
            Compare(file, page, copy);
        }
    }

    /// <summary>Few values, so that pages become equal by accident.</summary>
    private void Change(int file, long page, PageWriteLease lease, int value)
    {
        Span<byte> model = _models[file].Page(page);
        if (value % 2 == 0)
        {
            model.Fill((byte)(value / 2 % 3));
        }
        else if (model.Length > 0)
        {
            model[value % model.Length] = (byte)(value % 2);
        }

        model.CopyTo(lease.Span);
        lease.MarkDirty();
    }

    private void KeepHold(int file, ProtectedPage page)
    {
        Compare(file, page.Page, page.Span);
        _holds.Add((file, page, page.Span.ToArray()));
    }

    private void CheckHold((int File, ProtectedPage Page, byte[] Bytes) hold)
    {
        Assert.True(hold.Page.Span.SequenceEqual(hold.Bytes), $"page {hold.Page.Page} of file {hold.File} was held and has changed (P-4)");
        if (hold.Page.IsCurrent && hold.Page.Page < _models[hold.File].PageCount)
        {
            Compare(hold.File, hold.Page.Page, hold.Bytes);
        }
    }

    private void LetGo(int index)
    {
        CheckHold(_holds[index]);
        _holds[index].Page.Dispose();
        _holds.RemoveAt(index);
    }

    private void Compare(int file, long page, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> expected = _models[file].Page(page);
        int same = bytes.CommonPrefixLength(expected);
        Assert.True(same == expected.Length, $"page {page} of file {file} differs at byte {same} of {expected.Length}");
        Assert.True(bytes[expected.Length..].IndexOfAnyExcept((byte)0) < 0, $"page {page} of file {file} is not zero beyond the end");
    }

    private void CompareDevice(int file)
    {
        FileModel model = _models[file];
        byte[] bytes;
        if (_directory is null)
        {
            bytes = new byte[_devices[file].Length];
            _devices[file].Read(0, bytes);
        }
        else
        {
            // The mapping has the file locked, and a stream that is opened by its path asks for a lock.
            using SafeFileHandle handle = new(LibC.open(_paths[file], 0, 0), ownsHandle: true);
            using FileStream stream = new(handle, FileAccess.Read);
            bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
        }

        Assert.Equal(model.Length, bytes.Length);
        int same = model.Bytes.CommonPrefixLength(bytes);
        Assert.True(same == bytes.Length, $"file {file} differs on the device at byte {same} (page {same / _pageSize})");
    }
}
