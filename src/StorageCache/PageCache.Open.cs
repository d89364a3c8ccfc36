using Nito.AsyncEx;
using StorageCache.IO;
using StorageCache.Sharing;

namespace StorageCache;

/// <content>Opening files and devices, and undoing it: one mapping for each, however often it is opened.</content>
public sealed partial class PageCache
{
    /// <summary>How long an open looks for what the file has in common with others: of a million extents the kernel tells for seconds.</summary>
    private static readonly TimeSpan s_searchAtMost = TimeSpan.FromSeconds(10);

    /// <summary>Orders opens and closes.</summary>
    private readonly AsyncLock _registry = new();
    private readonly Dictionary<FileIdentity, Mapping> _files = [];
    private readonly Dictionary<IBlockDevice, Mapping> _devices = new(ReferenceEqualityComparer.Instance);

    /// <summary>Opens a file. A file that is open already, under whatever name, gives the mapping that it has.</summary>
    /// <param name="path">Path of a regular file or block device.</param>
    /// <param name="options">How to open it; null for the defaults. Of no effect if the file is open already.</param>
    /// <param name="cancellationToken">Stops waiting for other opens and closes.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty, or an option is out of its range.</exception>
    /// <exception cref="MappingInUseException">The file is open in this cache already, in a way that does not go with the options.</exception>
    /// <exception cref="FileNotFoundException">The file does not exist, and was not to be created.</exception>
    /// <exception cref="UnauthorizedAccessException">Permission is denied.</exception>
    /// <exception cref="IOException">The file cannot be opened for another reason.</exception>
    /// <exception cref="MappingLockedException">Another process, or another cache, has the file locked.</exception>
    /// <exception cref="PageCorruptException">There is a codec, and the file ends within a page.</exception>
    /// <exception cref="CacheFullException">There is no room within the memory limit for what the sharing domain or the codec needs.</exception>
    /// <exception cref="InsufficientMemoryException">There is no address space for what the sharing domain needs.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public async ValueTask<Mapping> OpenAsync(string path, MappingOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new MappingOptions();
        if (!Enum.IsDefined(options.Mode))
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.Mode, $"MappingOptions.Mode is {options.Mode}; allowed: Open, OpenOrCreate, CreateNew.");
        }

        MappingOptions.Check(options.AccessPattern, $"{nameof(options)}.{nameof(options.AccessPattern)}");
        if (options.ReadOnly && options.Mode == MappingMode.CreateNew)
        {
            throw new ArgumentException("MappingOptions.ReadOnly does not go with MappingMode.CreateNew.", nameof(options));
        }

        while (true)
        {
            (Mapping? mapping, Task? closing) = await TryOpenAsync(path, options, cancellationToken).ConfigureAwait(false);
            if (mapping is not null)
            {
                try
                {
                    await JoinExtentsAsync(mapping, likely: null, cancellationToken).ConfigureAwait(false);
                }
                catch
                {
                    // No memory for it, as a rule. Nobody has the mapping to close it.
                    await CloseAsync(mapping, CancellationToken.None).ConfigureAwait(false);
                    throw;
                }

                return mapping;
            }

            // Somebody is closing the file. Afterwards it is opened anew, or, if that failed, joined.
            await WaitForCloseAsync(closing!, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Finds out what a mapping has in common with others, once. The mapping is open whatever comes of it.</summary>
    private async Task JoinExtentsAsync(Mapping mapping, Mapping? likely, CancellationToken cancellationToken)
    {
        if (mapping.Sharing is not { SharesExtents: true } sharing || !sharing.TryBeginSearch())
        {
            return;
        }

        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(s_searchAtMost);
        try
        {
            await _core.OwnThread.Run(() => _core.Extents.JoinAsync(mapping, likely, patience.Token)).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The file is open; what it has in common with others stays unknown.
            _core.Protection.Counters.Refused(ProtectionRefusal.Unconfirmed);
        }
    }

    private static Task WaitForCloseAsync(Task closing, CancellationToken cancellationToken) =>
        closing.ContinueWith(static _ => { }, cancellationToken, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private async Task<(Mapping? Mapping, Task? Closing)> TryOpenAsync(string path, MappingOptions options, CancellationToken cancellationToken)
    {
        using (await _registry.LockAsync(cancellationToken).ConfigureAwait(false))
        {
            ThrowIfDisposed();

            FileBlockDevice device = await OpenOnOwnThreadAsync(path, options).ConfigureAwait(false);
            try
            {
                if (_files.TryGetValue(device.Identity, out Mapping? open))
                {
                    device.Close();
                    return TryJoin(open, options);
                }

                if (options.Exclusive && !device.TryLock())
                {
                    throw Throw.MakeLocked(device.Name);
                }

                Mapping mapping = Register(device, device.Identity, options, options.ReadOnly, ownsDevice: true);
                _files.Add(device.Identity, mapping);
                return (mapping, null);
            }
            catch
            {
                device.Close();
                throw;
            }
        }
    }

    /// <summary>
    /// Opens a device of the caller's own. A device that is open already gives the mapping that it has. The caller
    /// disposes of the device after the mapping is closed.
    /// </summary>
    /// <param name="device">The device; its alignment divides the page size.</param>
    /// <param name="options">How to open it; null for the defaults. <see cref="MappingOptions.ReadOnly"/>, <see cref="MappingOptions.AccessPattern"/>, <see cref="MappingOptions.SharingDomain"/>, <see cref="MappingOptions.Shares"/>, <see cref="MappingOptions.Log"/> and <see cref="MappingOptions.Codec"/> have an effect, and <see cref="MappingMode.CreateNew"/>, which refuses a device that is open already; the other members have none.</param>
    /// <param name="cancellationToken">Stops waiting for other opens and closes.</param>
    /// <exception cref="ArgumentException">The page size is not a multiple of the device's alignment, or an option is out of its range.</exception>
    /// <exception cref="MappingInUseException">The device is open in this cache already, in a way that does not go with the options.</exception>
    /// <exception cref="PageCorruptException">There is a codec, and the device ends within a page.</exception>
    /// <exception cref="CacheFullException">There is no room within the memory limit for what the sharing domain or the codec needs.</exception>
    /// <exception cref="IOException">The device does not say how long it is; or it is open already, and was to be new.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public async ValueTask<Mapping> OpenAsync(IBlockDevice device, MappingOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        options ??= new MappingOptions();
        MappingOptions.Check(options.AccessPattern, $"{nameof(options)}.{nameof(options.AccessPattern)}");
        if (device.Alignment <= 0 || PageSize % device.Alignment != 0)
        {
            throw new ArgumentException($"The page size ({PageSize} bytes) is not a multiple of the alignment of '{device.Name}' ({device.Alignment} bytes).", nameof(device));
        }

        while (true)
        {
            Task? closing;
            using (await _registry.LockAsync(cancellationToken).ConfigureAwait(false))
            {
                ThrowIfDisposed();
                if (!_devices.TryGetValue(device, out Mapping? open))
                {
                    Mapping mapping = Register(device, identity: null, options, options.ReadOnly || device.IsReadOnly, ownsDevice: false);
                    _devices.Add(device, mapping);
                    return mapping;
                }

                (Mapping? joined, closing) = TryJoin(open, options);
                if (joined is not null)
                {
                    return joined;
                }
            }

            await WaitForCloseAsync(closing!, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Undoes one open of a mapping, and closes it if that was the last.</summary>
    internal ValueTask CloseAsync(Mapping mapping, CancellationToken cancellationToken) =>
        new(_core.OwnThread.Run(() => CloseInOrderAsync(mapping, flush: true, cancellationToken)));

    /// <summary>The same, and what is dirty is dropped.</summary>
    internal ValueTask AbandonAsync(Mapping mapping, CancellationToken cancellationToken) =>
        new(_core.OwnThread.Run(() => CloseInOrderAsync(mapping, flush: false, cancellationToken)));

    private async Task CloseInOrderAsync(Mapping mapping, bool flush, CancellationToken cancellationToken)
    {
        bool wasOpen = flush && mapping.State == MappingState.Open;
        while (true)
        {
            Task closing;
            bool isOwn = false;
            using (await _registry.LockAsync(cancellationToken).ConfigureAwait(true))
            {
                if (mapping.Closing is { IsCompleted: false })
                {
                    closing = mapping.Closing;
                }
                else if (mapping.State == MappingState.Closed || IsDisposed || !mapping.DropOpen())
                {
                    return;
                }
                else
                {
                    closing = CloseLastAsync(mapping, flush, wasOpen, cancellationToken);
                    mapping.Closing = closing;
                    isOwn = true;
                }
            }

            if (isOwn)
            {
                await closing.ConfigureAwait(true);
                return;
            }

            try
            {
                await closing.WaitAsync(cancellationToken).ConfigureAwait(true);
                return;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // The one who began the close has given up, and the mapping is open; this one wants it closed all the same.
            }
        }
    }

    private async Task CloseLastAsync(Mapping mapping, bool flush, bool wasOpen, CancellationToken cancellationToken)
    {
        try
        {
            await mapping.CloseCoreAsync(flush, Options.FrameTimeout, cancellationToken, wasOpen).ConfigureAwait(true);
        }
        finally
        {
            // Also if it is closed and only its device made trouble in the end.
            if (mapping.State == MappingState.Closed)
            {
                using (await _registry.LockAsync(CancellationToken.None).ConfigureAwait(true))
                {
                    Forget(mapping);
                }
            }
        }
    }

    private static (Mapping? Mapping, Task? Closing) TryJoin(Mapping open, MappingOptions options)
    {
        if (open.Closing is { IsCompleted: false } closing)
        {
            return (null, closing);
        }

        if (WhyNotJoined(open, options) is { } reason)
        {
            throw Throw.MakeInUse(open, reason);
        }

        if (options.Mode == MappingMode.CreateNew)
        {
            throw new BlockIOException($"Cannot create '{open.Path}': it exists, and is open.", Platform.Errno.EEXIST);
        }

        open.AddOpen();
        return (open, null);
    }

    /// <summary>What about an open mapping does not go with the options of another open; null if it can be joined.</summary>
    private static string? WhyNotJoined(Mapping open, MappingOptions options)
    {
        if (open.IsReadOnly && !options.ReadOnly)
        {
            return "for reading only; it cannot be opened for writing as well";
        }

        if (options.SharingDomain is { } domain && domain != open.SharingDomain)
        {
            return $"in the sharing domain '{open.SharingDomain}'; it cannot be opened in '{domain}' as well";
        }

        if (options.Log is { } log && !ReferenceEquals(log, open.Log))
        {
            return $"with {(open.Log is null ? "no log" : "another log")}; it cannot be opened with this one as well";
        }

        if (!options.Shares && open.Sharing is not null)
        {
            return "and shares frames; it cannot be opened as one that does not";
        }

        if (options.Codec is { } codec && !codec.Equals(open.Codec))
        {
            return $"with {(open.Codec is null ? "no" : "another")} codec; it cannot be opened with this one as well";
        }

        return null;
    }

    /// <summary>Opens a file. That may wait for the disk, so it has a thread of its own.</summary>
    private Task<FileBlockDevice> OpenOnOwnThreadAsync(string path, MappingOptions options) => Task.Factory.StartNew(
        () => OpenDevice(path, options), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private FileBlockDevice OpenDevice(string path, MappingOptions options)
    {
        FileOpenMode mode = options.Mode switch
        {
            MappingMode.CreateNew => FileOpenMode.CreateNew,
            MappingMode.OpenOrCreate when !options.ReadOnly => FileOpenMode.OpenOrCreate,
            _ => FileOpenMode.Open,
        };
        return FileBlockDevice.Open(path, mode, options.ReadOnly, PageSize, _engine);
    }

    private Mapping Register(IBlockDevice device, FileIdentity? identity, MappingOptions options, bool isReadOnly, bool ownsDevice)
    {
        CheckForCodec(device, options.Codec);

        // Extents say nothing of a file that others may write.
        bool hasExtents = options.Exclusive && device is IExtentDevice { ExtentSpace: not null };
        MappingSharing? sharing = options.Shares ? _core.Sharing.JoinDomain(options.SharingDomain ?? SharingDomain.Default, hasExtents) : null;
        if (options.Codec is not null && !isReadOnly && !_core.WriteBack.Bounce.TryJoin())
        {
            throw Throw.MakeNoRoomForCodec(this);
        }

        int number;
        try
        {
            number = _core.Register(number => new Mapping(_core, number, device, identity, options.SharingDomain ?? SharingDomain.Default, sharing, options.Codec, isReadOnly, ownsDevice));
        }
        catch when (options.Codec is not null && !isReadOnly)
        {
            _core.WriteBack.Bounce.Leave();
            throw;
        }

        Mapping mapping = _core.MappingAt(number)!;
        mapping.AccessPattern = options.AccessPattern;
        mapping.Log = options.Log;
        mapping.AddOpen();
        return mapping;
    }

    private void CheckForCodec(IBlockDevice device, PageCodec? codec)
    {
        if (codec is null)
        {
            return;
        }

        if (codec.TrailerSize < 0 || codec.TrailerSize >= PageSize)
        {
            throw new ArgumentException($"The codec {codec.GetType().Name} has a trailer of {codec.TrailerSize} bytes; allowed: 0 to {PageSize - 1} bytes.", nameof(codec));
        }

        long length = DeviceBoundary.LengthOf(device);
        if (length % PageSize != 0)
        {
            throw Throw.MakeCutOff(device.Name, length, PageSize);
        }
    }

    private void Forget(Mapping mapping)
    {
        _core.Unregister(mapping.Number);
        if (mapping.Identity is { } identity)
        {
            _files.Remove(identity);
        }
        else
        {
            _devices.Remove(mapping.Device);
        }
    }
}
