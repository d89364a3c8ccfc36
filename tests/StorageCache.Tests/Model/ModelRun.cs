using StorageCache.IO;
using StorageCache.Tests.Codecs;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Model;

/// <summary>Runs a sequence on a cache and on the model, and compares them at every step and in the end.</summary>
internal sealed class ModelRun : IAsyncDisposable
{
    private const int Files = 3;
    private const int PinsAtMost = 4;

    private readonly int _pageSize;

    /// <summary>Bytes of a page that the model knows: those that are not the codec's.</summary>
    private readonly int _usable;

    private readonly PageCodec? _codec;
    private readonly ScratchDirectory? _directory;
    private readonly PageCache _cache;
    private readonly Mapping[] _mappings = new Mapping[Files];
    private readonly FileModel[] _models = new FileModel[Files];
    private readonly MemoryBlockDevice[] _devices = new MemoryBlockDevice[Files];
    private readonly List<(int File, long Page, PagePin Pin)> _pins = [];

    /// <param name="pageSize">Bytes.</param>
    /// <param name="isTiny">Whether the cache has as few frames as there can be.</param>
    /// <param name="directory">Where the files are; null for memory devices. Goes away with the run.</param>
    /// <param name="synchronousContinuations">Whether code goes on in place.</param>
    /// <param name="engine">What carries out the I/O of the files.</param>
    /// <param name="isGuarded">Whether bytes are read through a view that cannot be written.</param>
    /// <param name="codec">What pages are encoded with.</param>
    public ModelRun(int pageSize, bool isTiny, ScratchDirectory? directory, bool synchronousContinuations, IoEngine engine = IoEngine.Auto, bool isGuarded = true, PageCodec? codec = null)
    {
        _pageSize = pageSize;
        _usable = pageSize - (codec?.TrailerSize ?? 0);
        _codec = codec;
        _directory = directory;
        _cache = new PageCache(new PageCacheOptions
        {
            PageSize = pageSize,
            MemoryLimit = Limit(isTiny ? 64 : 1000),
            MaximumMemoryLimit = Limit(1200),
            AllowSynchronousContinuations = synchronousContinuations,
            FrameTimeout = TimeSpan.FromSeconds(20),
            LatchTimeout = TimeSpan.FromSeconds(20),
            WriteBackInterval = TimeSpan.FromMilliseconds(5),
            IoThreads = 2,
            IoEngine = engine,
            Guarded = isGuarded,
        });
    }

    public async Task RunAsync(IReadOnlyList<ModelOperation> operations)
    {
        for (int file = 0; file < Files; file++)
        {
            _models[file] = new FileModel(_usable);
            _devices[file] = new MemoryBlockDevice($"memory {file}");
            await OpenAsync(file);
        }

        foreach (ModelOperation operation in operations)
        {
            await StepAsync(operation);
            for (int file = 0; file < Files; file++)
            {
                Assert.True(Stored(_models[file].Length) == _mappings[file].Length, $"file {file} is {_mappings[file].Length} bytes long instead of {_models[file].Length} after {operation}");
            }
        }

        await Quiet.CheckAsync(_cache, "at the end of the sequence", _pins.Count);
        while (_pins.Count > 0)
        {
            Unpin(0);
        }

        for (int file = 0; file < Files; file++)
        {
            for (long page = 0; page < _models[file].PageCount; page++)
            {
                using PageReadLease lease = await _mappings[file].ReadAsync(page);
                Compare(file, page, lease.Span);
            }

            await _mappings[file].FlushAsync();
            CompareDevice(file);
        }

        await Quiet.CheckAsync(_cache, "after the flush");
        for (int file = 0; file < Files; file++)
        {
            await _mappings[file].CloseAsync();
            CompareDevice(file);
        }

        await Quiet.CheckAsync(_cache, "after the close");
        Assert.Equal(0, _cache.Core.PageTables.Leaves);
        Assert.Equal(0, _cache.Core.PageTables.Nodes);
        Assert.Equal(0, _cache.Core.Heads.InUse);
    }

    public async ValueTask DisposeAsync()
    {
        _pins.ForEach(pin => pin.Pin.Dispose());
        await _cache.DisposeAsync();
        _directory?.Dispose();
    }

    private static ReadOnlySpan<byte> Noise(int seed, Span<byte> buffer)
    {
        new Random(seed).NextBytes(buffer);
        return buffer;
    }

    private long Limit(int frames) => CacheCore.LeastMemory(_pageSize) + (Math.Max(0, frames - 64) * (long)(_pageSize + 256));

    /// <summary>How long a file is of which the model has so many bytes.</summary>
    private long Stored(long length) => _codec is null ? length : length / _usable * _pageSize;

    /// <summary>A length that a file can have: whole pages, if there is a codec.</summary>
    private long Possible(long length) => _codec is null ? length : length / _usable * _usable;

    private async Task OpenAsync(int file) => _mappings[file] = _directory is null
        ? await _cache.OpenAsync(file == 0 ? new UnpunchableDevice(_devices[file]) : _devices[file], new MappingOptions { Codec = _codec })
        : await _cache.OpenAsync(_directory.File($"file{file}"), new MappingOptions { Exclusive = false, Codec = _codec });

    private void Compare(int file, long page, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> expected = _models[file].Page(page);
        int same = bytes.CommonPrefixLength(expected);
        Assert.True(same == expected.Length, $"page {page} of file {file} differs at byte {same} of {expected.Length}");
        int beyond = bytes[expected.Length..].IndexOfAnyExcept((byte)0);
        Assert.True(beyond < 0, $"page {page} of file {file} is not zero at byte {expected.Length + beyond}, beyond the end");
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
            using FileStream stream = new(_directory.File($"file{file}"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
        }

        bytes = Decoded(bytes);
        Assert.Equal(model.Length, bytes.Length);
        int same = model.Bytes.CommonPrefixLength(bytes);
        Assert.True(same == bytes.Length, $"file {file} differs on the device at byte {same} (page {same / _usable})");
    }

    /// <summary>What the pages of a file hold, without what is the codec's.</summary>
    private byte[] Decoded(byte[] stored)
    {
        if (_codec is null)
        {
            return stored;
        }

        Assert.Equal(0, stored.Length % _pageSize);
        byte[] bytes = new byte[stored.Length / _pageSize * _usable];
        for (int page = 0; page < stored.Length / _pageSize; page++)
        {
            TestCodecs.Decode(_codec, page, stored.AsSpan(page * _pageSize, _pageSize)).AsSpan(0, _usable).CopyTo(bytes.AsSpan(page * _usable));
        }

        return bytes;
    }

    private async Task StepAsync(ModelOperation operation)
    {
        (ModelAction action, int file, int page, int value) = operation;
        Mapping mapping = _mappings[file];
        FileModel model = _models[file];
        switch (action)
        {
            case ModelAction.Extend:
                long longer = Possible((page * (long)_usable) + (value % _usable));
                await mapping.ExtendAsync(Stored(longer));
                model.SetLength(Math.Max(longer, model.Length));
                return;
            case ModelAction.Truncate:
                long shorter = model.Length == 0 ? 0 : Possible(value % (model.Length + 1));
                await mapping.TruncateAsync(Stored(shorter));
                model.SetLength(shorter);
                return;
            case ModelAction.TruncateCancelled:
                await TruncateCancelledAsync(mapping, model, value);
                return;
            case ModelAction.Punch:
                await mapping.PunchAsync(page, value % 100);
                model.Punch(page, value % 100);
                return;
            case ModelAction.PunchCancelled:
                await PunchCancelledAsync(mapping, model, page, value);
                return;
            case ModelAction.WriteNew or ModelAction.WriteNewAsync or ModelAction.TryWriteNew or ModelAction.WriteNewCancelled:
                await RenewAsync(operation, mapping, model);
                return;
            case ModelAction.Flush:
                await mapping.FlushAsync();
                CompareDevice(file);
                return;
            case ModelAction.FlushAll:
                await _cache.FlushAsync();
                for (int i = 0; i < Files; i++)
                {
                    CompareDevice(i);
                }

                return;
            case ModelAction.Prefetch:
                mapping.Prefetch(page, value % 100);
                return;
            case ModelAction.DontNeed:
                mapping.DontNeed(page, value % 100);
                return;
            case ModelAction.SetPattern:
                mapping.AccessPattern = (AccessPattern)(value % 3);
                return;
            case ModelAction.ReadBackward:
                for (long i = Math.Min(model.PageCount - 1, page + (value % 80)); i >= page; i--)
                {
                    await UseAsync(new ModelOperation(ModelAction.Read, file, (int)i, value));
                }

                return;
            case ModelAction.ReadStream:
                await ReadStreamAsync(operation);
                return;
            case ModelAction.Resize:
                await _cache.ResizeAsync(Limit(value % 4 == 0 ? 1000 : 64 + (value % 100)));
                return;
            case ModelAction.Reopen:
                for (int i = _pins.Count - 1; i >= 0; i--)
                {
                    if (_pins[i].File == file)
                    {
                        Unpin(i);
                    }
                }

                await mapping.CloseAsync();
                CompareDevice(file);
                await OpenAsync(file);
                return;
            case ModelAction.UsePin when _pins.Count > 0:
                UsePin(_pins[value % _pins.Count], value);
                return;
            case ModelAction.Unpin when _pins.Count > 0:
                Unpin(value % _pins.Count);
                return;
            case ModelAction.UsePin or ModelAction.Unpin:
                return;
            case ModelAction.WriteMany or ModelAction.ReadMany:
                for (long i = page; i < Math.Min(model.PageCount, page + (value % 80)); i++)
                {
                    await UseAsync(new ModelOperation(action == ModelAction.WriteMany ? ModelAction.WriteAsync : ModelAction.ReadAsync, file, (int)i, value + (int)i));
                }

                return;
            default:
                if (page < model.PageCount)
                {
                    await UseAsync(operation);
                }
                else if (!action.ToString().StartsWith("Try", StringComparison.Ordinal))
                {
                    await Assert.ThrowsAsync<PageTruncatedException>(() => UseAsync(operation));
                }
                else
                {
                    await UseAsync(operation);
                }

                return;
        }
    }

    private async Task ReadStreamAsync(ModelOperation operation)
    {
        (_, int file, int page, int value) = operation;
        Random random = new(value);
        long[] pages = [.. Enumerable.Range(0, value % 90).Select(i => value % 2 == 0 ? page + i : random.Next(page + 1))];
        PageReadStreamOptions options = new() { MaximumDistance = 1 + (value % 40), Scan = value % 3 == 0 };
        using PageReadStream stream = _mappings[file].OpenReadStream(pages.Where(i => i < _models[file].PageCount), options);
        foreach (long expected in pages)
        {
            if (expected >= _models[file].PageCount)
            {
                continue;
            }

            Assert.True(value % 5 == 0 ? stream.MoveNext() : await stream.MoveNextAsync());
            Assert.Equal(expected, stream.Page);
            using PageReadLease lease = value % 7 == 0 ? await stream.ReadAsync() : stream.Read();
            Compare(file, expected, lease.Span);
        }

        Assert.False(stream.MoveNext());
    }

    private async Task UseAsync(ModelOperation operation)
    {
        (ModelAction action, int file, int page, int value) = operation;
        Mapping mapping = _mappings[file];
        switch (action)
        {
            case ModelAction.Read:
                using (PageReadLease lease = mapping.Read(page))
                {
                    Compare(file, page, lease.Span);
                }

                break;
            case ModelAction.ReadAsync:
                using (PageReadLease lease = await mapping.ReadAsync(page))
                {
                    Compare(file, page, lease.Span);
                }

                break;
            case ModelAction.TryRead when mapping.TryRead(page, out PageReadLease lease):
                using (lease)
                {
                    Compare(file, page, lease.Span);
                }

                break;
            case ModelAction.ReadOptimistic:
                Peek(file, page, mapping.ReadOptimistic(page));
                break;
            case ModelAction.ReadOptimisticAsync:
                Peek(file, page, await mapping.ReadOptimisticAsync(page));
                break;
            case ModelAction.TryReadOptimistic when mapping.TryReadOptimistic(page, out OptimisticRead read):
                Peek(file, page, read);
                break;
            case ModelAction.Write:
                using (PageWriteLease lease = mapping.Write(page))
                {
                    Change(file, page, lease, value);
                }

                break;
            case ModelAction.WriteAsync:
                using (PageWriteLease lease = await mapping.WriteAsync(page))
                {
                    Change(file, page, lease, value);
                }

                break;
            case ModelAction.TryWrite when mapping.TryWrite(page, out PageWriteLease lease):
                using (lease)
                {
                    Change(file, page, lease, value);
                }

                break;
            case ModelAction.WriteDowngraded:
                PageWriteLease exclusive = await mapping.WriteAsync(page);
                Change(file, page, exclusive, value);
                using (PageReadLease shared = exclusive.Downgrade())
                {
                    Compare(file, page, shared.Span);
                }

                break;
            case ModelAction.WriteUpgraded:
                if (mapping.ReadOptimistic(page).TryUpgrade(out PageWriteLease upgraded))
                {
                    using (upgraded)
                    {
                        Change(file, page, upgraded, value);
                    }
                }

                break;
            case ModelAction.Pin:
                Keep(file, page, mapping.Pin(page));
                break;
            case ModelAction.PinAsync:
                Keep(file, page, await mapping.PinAsync(page));
                break;
            case ModelAction.TryPin when mapping.TryPin(page, out PagePin pin):
                Keep(file, page, pin);
                break;
        }
    }

    private async Task RenewAsync(ModelOperation operation, Mapping mapping, FileModel model)
    {
        (ModelAction action, int file, int page, int value) = operation;
        PageWriteLease lease;
        switch (action)
        {
            case ModelAction.WriteNew:
                lease = mapping.WriteNew(page);
                break;
            case ModelAction.WriteNewAsync:
                lease = await mapping.WriteNewAsync(page);
                break;
            case ModelAction.TryWriteNew when page < model.PageCount:
                if (!mapping.TryWriteNew(page, out lease))
                {
                    return;
                }

                break;
            case ModelAction.WriteNewCancelled when page < model.PageCount:
                using (var source = new CancellationTokenSource())
                {
                    // The page may be had at once, or be cancelled on the way: then it is as it was.
                    ValueTask<PageWriteLease> pending = mapping.WriteNewAsync(page, source.Token);
                    await source.CancelAsync();
                    try
                    {
                        lease = await pending;
                    }
                    catch (OperationCanceledException)
                    {
                        return;
                    }
                }

                break;
            default:
                return;
        }

        using (lease)
        {
            model.Renew(page);
            Assert.False(lease.Span.ContainsAnyExcept((byte)0), "a new page is zero");
            Change(file, page, lease, value);
        }
    }

    private static async Task PunchCancelledAsync(Mapping mapping, FileModel model, int page, int value)
    {
        if (page >= model.PageCount)
        {
            return;
        }

        // Somebody holds the first page, so the punch waits, and nothing has changed when it is cancelled.
        using PageReadLease held = await mapping.ReadAsync(page);
        using var source = new CancellationTokenSource();
        Task punch = mapping.PunchAsync(page, 1 + (value % 100), source.Token).AsTask();
        mapping.Prefetch(page, value % 50);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => punch);
    }

    private async Task TruncateCancelledAsync(Mapping mapping, FileModel model, int value)
    {
        if (model.Length < 2)
        {
            return;
        }

        // Somebody holds the last page, so the truncation waits; meanwhile others load and write what is to go.
        long last = model.PageCount - 1;
        using PageReadLease held = await mapping.ReadAsync(last);
        using var source = new CancellationTokenSource();
        long length = Possible(value % (last * _usable + 1));
        Task truncation = mapping.TruncateAsync(Stored(length), source.Token).AsTask();
        await Task.Delay(value % 3);
        if (length / _usable < last && length % _usable != 0)
        {
            using PageWriteLease lease = await mapping.WriteAsync(length / _usable);
            lease.MarkDirty();
        }

        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => truncation);
    }

    private void Peek(int file, long page, OptimisticRead read)
    {
        byte[] copy = read.Span.ToArray();
        if (read.Validate())
        {
            Compare(file, page, copy);
        }
    }

    private void Change(int file, long page, PageWriteLease lease, int value)
    {
        Compare(file, page, lease.Span);
        Span<byte> model = _models[file].Page(page);
        if (value % 3 == 0)
        {
            Noise(value, model);
        }
        else if (model.Length > 0)
        {
            Noise(value, model.Slice(value % model.Length, Math.Min(17, model.Length - (value % model.Length))));
        }

        model.CopyTo(lease.Span);
        lease.MarkDirty();
    }

    private void Keep(int file, long page, PagePin pin)
    {
        if (_pins.Count == PinsAtMost)
        {
            pin.Dispose();
            return;
        }

        _pins.Add((file, page, pin));
    }

    private void UsePin((int File, long Page, PagePin Pin) kept, int value)
    {
        (int file, long page, PagePin pin) = kept;
        Assert.Equal(page, pin.Page);
        if (page >= _models[file].PageCount)
        {
            Assert.False(pin.TryRead(out _), "a page that was truncated away cannot be read through a pin");
            Assert.False(pin.TryWrite(out _), "nor written");
            Assert.Throws<PageTruncatedException>(() => pin.Read());
            return;
        }

        switch (value % 3)
        {
            case 0:
                using (PageReadLease lease = pin.Read())
                {
                    Compare(file, page, lease.Span);
                }

                break;
            case 1:
                using (PageWriteLease lease = pin.Write())
                {
                    Change(file, page, lease, value);
                }

                break;
            default:
                if (pin.TryReadOptimistic(out OptimisticRead read))
                {
                    Peek(file, page, read);
                }

                break;
        }
    }

    private void Unpin(int index)
    {
        _pins[index].Pin.Dispose();
        _pins.RemoveAt(index);
    }
}
