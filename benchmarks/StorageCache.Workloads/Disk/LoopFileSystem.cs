using System.Globalization;

namespace StorageCache.Workloads.Disk;

/// <summary>A new file system on a loop device over a file, mounted for the length of one workload. Needs root.</summary>
/// <remarks>
/// The loop device does direct I/O to its file where that is possible, so that what is read through it is not in the kernel's page
/// cache a second time.
/// </remarks>
internal sealed class LoopFileSystem : IDisposable
{
    private const int SectorBytes = 512;

    private readonly string _directory;
    private string? _device;
    private bool _isMounted;

    private LoopFileSystem(string type)
    {
        Type = type;
        _directory = System.IO.Path.Combine(System.IO.Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"storagecache-{type}-{Environment.ProcessId}"));
        Path = System.IO.Path.Combine(_directory, "mount");
    }

    /// <summary>As <c>mkfs</c> and <c>mount</c> call it.</summary>
    public string Type { get; }

    /// <summary>Where it is mounted.</summary>
    public string Path { get; }

    /// <summary>Whether the loop device does direct I/O.</summary>
    public bool IsDirect { get; private set; }

    /// <summary>Bytes that the loop device has read since it was made, by the kernel's count.</summary>
    public long DeviceBytesRead
    {
        get
        {
            string statistics = File.ReadAllText($"/sys/block/{System.IO.Path.GetFileName(_device)}/stat");
            string sectors = statistics.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2];
            return long.Parse(sectors, CultureInfo.InvariantCulture) * SectorBytes;
        }
    }

    /// <summary>Makes and mounts one where temporary files go.</summary>
    /// <param name="type">As <c>mkfs</c> and <c>mount</c> call it.</param>
    /// <param name="bytes">Its size; takes as much as is written to it.</param>
    /// <exception cref="WorkloadFailedException">It cannot be mounted here.</exception>
    public static LoopFileSystem Mount(string type, long bytes)
    {
        LoopFileSystem mounted = new(type);
        try
        {
            mounted.Mount(bytes);
            return mounted;
        }
        catch (WorkloadFailedException failure)
        {
            mounted.Dispose();
            throw new WorkloadFailedException($"no {type} can be mounted here, which needs root, loop devices and mkfs.{type}: {failure.Message}");
        }
        catch
        {
            mounted.Dispose();
            throw;
        }
    }

    /// <summary>Where a file of it is.</summary>
    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <inheritdoc/>
    public void Dispose()
    {
        // Lazily if need be, since a file may be held for a moment longer; the device goes with the mount.
        bool isGone = !_isMounted || ProgramRun.TryRun(out _, "umount", Path) is null || ProgramRun.TryRun(out _, "umount", "--lazy", Path) is null;
        if (!_isMounted && _device is not null)
        {
            ProgramRun.TryRun(out _, "losetup", "--detach", _device);
        }

        _isMounted = false;
        _device = null;
        if (isGone && Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    private void Mount(long bytes)
    {
        Directory.CreateDirectory(Path);
        string image = System.IO.Path.Combine(_directory, "image");
        using (FileStream file = File.Create(image))
        {
            file.SetLength(bytes);
        }

        ProgramRun.Run($"mkfs.{Type}", "-q", image);
        IsDirect = ProgramRun.TryRun(out string device, "losetup", "--find", "--show", "--direct-io=on", image) is null;
        _device = (IsDirect ? device : ProgramRun.Run("losetup", "--find", "--show", image)).Trim();
        ProgramRun.Run("mount", "-t", Type, _device, Path);
        _isMounted = true;

        // The device is in use, and goes by itself when it is not.
        ProgramRun.Run("losetup", "--detach", _device);
    }
}
