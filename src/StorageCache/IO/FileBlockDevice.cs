using Microsoft.Win32.SafeHandles;
using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>A regular file or block device, read and written directly where the file system allows it, else through the kernel's page cache.</summary>
/// <remarks>
/// <para>Thread safety: all members may be called from any thread. <see cref="Close"/> comes after the last request has completed.</para>
/// <para>
/// Two descriptors can be open on the file. The first one serves all transfers, directly if <see cref="IsDirect"/>. Direct I/O moves whole
/// blocks only, so the bytes at the end of a file whose length is not a multiple of <see cref="Alignment"/> are written through a second,
/// buffered one (I/O-6); see <c>FileBlockDevice.Transfers.cs</c> for why the two agree.
/// </para>
/// </remarks>
internal sealed partial class FileBlockDevice : IPluggableDevice, IExtentDevice
{
    /// <summary>Runs what <see cref="Submit"/> is given; shared with other devices.</summary>
    private readonly IIoEngine _engine;

    /// <summary>The descriptor that serves all transfers, and that the lock belongs to.</summary>
    private readonly SafeFileHandle _file;

    /// <summary>Guards the opening and closing of <see cref="_tailFile"/>.</summary>
    private readonly Lock _tailGate = new();

    /// <summary>Whether the file is a block device, whose length no one can change.</summary>
    private readonly bool _isBlockDevice;

    /// <summary>The buffered descriptor for unaligned tails; null until the first one comes.</summary>
    private SafeFileHandle? _tailFile;

    private FileBlockDevice(
        string path, SafeFileHandle file, in FileStatus status, bool isReadOnly, int directAlignment, IIoEngine engine)
    {
        Name = path;
        IsReadOnly = isReadOnly;
        IsDirect = directAlignment > 0;
        Alignment = Math.Max(directAlignment, 1);
        Identity = IdentityOf(status);
        ExtentSpace = IO.ExtentSpace.Of(file, status);
        _isBlockDevice = status.IsBlockDevice;
        _file = file;
        _engine = engine;
    }

    /// <summary>The full path.</summary>
    public string Name { get; }

    /// <summary>Bytes: what direct I/O on this file demands; 1 when <see cref="IsDirect"/> is false.</summary>
    public int Alignment { get; }

    /// <summary>Whether transfers pass the kernel's page cache by.</summary>
    public bool IsDirect { get; }

    /// <inheritdoc/>
    public bool IsReadOnly { get; }

    /// <summary>Which file this is, taken from the open descriptor: no renaming meanwhile can make it a lie (I/O-8).</summary>
    public FileIdentity Identity { get; }

    /// <summary>Bytes, asked of the kernel each time.</summary>
    /// <exception cref="BlockIOException">The kernel does not say.</exception>
    /// <exception cref="ObjectDisposedException">The device is closed.</exception>
    public unsafe long Length
    {
        get
        {
            // stat says 0 for a block device. Nothing uses the descriptor's position, so seeking does no harm.
            if (_isBlockDevice)
            {
                long end = LibC.lseek(_file, 0, LibC.SEEK_END);
                return end >= 0 ? end : throw BlockIOException.For("get the length of", Name, Errno.Last);
            }

            int errno = Stat(_file, out FileStatus status);
            return errno == 0 ? (long)status.Size : throw BlockIOException.For("get the length of", Name, errno);
        }
    }

    /// <summary>Queues the request to the engine.</summary>
    public void Submit(BlockRequest request) => _engine.Submit(request, this);

    /// <summary>Changes the length of the file on one of the engine's threads: freeing the blocks of a large file takes the kernel a while.</summary>
    /// <inheritdoc/>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellationToken);
        }

        string what = $"set the length to {length} bytes of";
        return new ValueTask(RunAsync(new FileTask(what, () => SetLength(length, what))));
    }

    /// <summary>Keeps other processes, and other opens in this one, from locking the file until this device is closed (I/O-9).</summary>
    /// <returns>
    /// False if somebody else holds a lock that does not go with this one. A read-only device takes a shared lock, others an exclusive one.
    /// </returns>
    /// <remarks>
    /// The lock is <c>flock</c>'s: it belongs to the open file description. A <c>fcntl</c> lock would belong to the process, and closing
    /// any descriptor of the file anywhere in the process would silently drop it. It is advisory: programs that do not ask are not stopped.
    /// </remarks>
    /// <exception cref="BlockIOException">The file system does not know locks, or has no more of them.</exception>
    public bool TryLock()
    {
        int operation = (IsReadOnly ? LibC.LOCK_SH : LibC.LOCK_EX) | LibC.LOCK_NB;
        while (LibC.flock(_file, operation) != 0)
        {
            int errno = Errno.Last;
            if (errno == Errno.EAGAIN)
            {
                return false;
            }

            if (errno != Errno.EINTR)
            {
                throw BlockIOException.For("lock", Name, errno);
            }
        }

        return true;
    }

    /// <summary>Closes the file and drops the lock. Closing twice does nothing.</summary>
    public void Close()
    {
        lock (_tailGate)
        {
            _tailFile?.Dispose();
            if (!_file.IsClosed)
            {
                // A ring lets go of the file some time after its last completion, and the lock would stay until then.
                LibC.flock(_file, LibC.LOCK_UN);
            }

            _file.Dispose();
        }
    }

    /// <summary><see cref="Close"/>; completes synchronously.</summary>
    public ValueTask DisposeAsync()
    {
        Close();
        return ValueTask.CompletedTask;
    }

    /// <summary>Has one of the engine's threads do something that may take the kernel long.</summary>
    private Task RunAsync(FileTask task)
    {
        Submit(task);
        return task.Task;
    }
}
