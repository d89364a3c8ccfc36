using StorageCache.IO;

namespace StorageCache;

/// <content>Files that are not cached.</content>
public sealed partial class PageCache
{
    /// <summary>Devices that were opened for the host, to be closed with the cache if they are open still. Under the registry lock.</summary>
    private readonly List<WeakReference<FileBlockDevice>> _hostsDevices = [];

    /// <summary>
    /// Opens a file as a device of its own, on the cache's I/O engine and past its pages: for what the engine above reads and writes by itself,
    /// such as its log. Direct I/O, where the file system has it and its alignment divides the page size (<see cref="IBlockDevice.Alignment"/>
    /// says what it came to).
    /// </summary>
    /// <param name="path">The file. If it is made, its directory entry is durable on return.</param>
    /// <param name="mode">What to do about a file that exists, or does not.</param>
    /// <param name="readOnly">Whether it is only read. The file must exist then.</param>
    /// <param name="cancellationToken">Cancels before the file is opened.</param>
    /// <returns>
    /// The device, which the caller disposes of once its last request has completed, and before the cache: what is left of it then is closed with
    /// the cache. It is locked against other processes and other opens, as mappings are.
    /// </returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="FileNotFoundException">The file does not exist, and must.</exception>
    /// <exception cref="DirectoryNotFoundException">The file's directory does not exist.</exception>
    /// <exception cref="UnauthorizedAccessException">Permission is denied.</exception>
    /// <exception cref="BlockIOException">The file cannot be opened, or exists and must not.</exception>
    /// <exception cref="MappingLockedException">Somebody else has the file open: this cache, as a mapping or a device, or another, or another process.</exception>
    /// <exception cref="CacheDisposedException">The cache has been disposed of.</exception>
    public ValueTask<IBlockDevice> OpenDeviceAsync(
        string path, MappingMode mode = MappingMode.OpenOrCreate, bool readOnly = false, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new ValueTask<IBlockDevice>(_core.OwnThread.Run(() => OpenDeviceInOrderAsync(path, mode, readOnly, cancellationToken)));
    }

    private async Task<IBlockDevice> OpenDeviceInOrderAsync(string path, MappingMode mode, bool readOnly, CancellationToken cancellationToken)
    {
        // The engine ends with the cache, which waits for those who hold this.
        using (await _registry.LockAsync(cancellationToken).ConfigureAwait(true))
        {
            ThrowIfDisposed();
            FileBlockDevice device = await OpenOnOwnThreadAsync(path, new MappingOptions { Mode = mode, ReadOnly = readOnly }).ConfigureAwait(true);
            try
            {
                if (!device.TryLock())
                {
                    throw Throw.MakeLocked(device.Name);
                }
            }
            catch
            {
                device.Close();
                throw;
            }

            _hostsDevices.RemoveAll(static opened => !opened.TryGetTarget(out _));
            _hostsDevices.Add(new WeakReference<FileBlockDevice>(device));
            return device;
        }
    }

    /// <summary>Closes what the host has not disposed of. The engine has ended, so nothing is under way.</summary>
    private void CloseHostsDevices()
    {
        foreach (WeakReference<FileBlockDevice> opened in _hostsDevices)
        {
            if (opened.TryGetTarget(out FileBlockDevice? device))
            {
                device.Close();
            }
        }
    }
}
