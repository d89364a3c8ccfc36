using System.ComponentModel;
using System.Diagnostics;

namespace StorageCache.KeyValueStore.Crash.Disks;

/// <summary>A file system of its own on a loop device, or just a directory.</summary>
/// <remarks>What is beneath it can be made to refuse writes, and it can be filled up.</remarks>
internal sealed class Disk : IDisposable
{
    /// <summary>The name for a directory of the file system that is there.</summary>
    public const string None = "none";

    private const int Block = 4096;
    private const int UnmountAttempts = 500;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(20);

    private readonly string _type;
    private readonly string _scratch;
    private readonly string _image;
    private string? _device;
    private bool _isMounted;

    private Disk(string type, string scratch)
    {
        _type = type;
        _scratch = scratch;
        _image = System.IO.Path.Combine(scratch, "image");
        Path = type == None ? System.IO.Path.Combine(scratch, "files") : System.IO.Path.Combine(scratch, "mount");
        Directory.CreateDirectory(Path);
    }

    /// <summary>The kinds there are.</summary>
    public static IReadOnlyList<string> Types { get; } = [None, "ext4", "xfs", "btrfs"];

    /// <summary>Where files may be made.</summary>
    public string Path { get; }

    /// <summary>Makes one.</summary>
    /// <param name="type">One of <see cref="Types"/>.</param>
    /// <param name="bytes">Its size, if it is one of its own.</param>
    /// <param name="scratch">A directory for what it needs, which must not exist; goes with it.</param>
    /// <exception cref="DiskException">That is not possible here.</exception>
    public static Disk Create(string type, long bytes, string scratch)
    {
        Disk disk = new(type, Directory.CreateDirectory(scratch).FullName);
        try
        {
            disk.Make(bytes);
            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    /// <summary>Has every write to what is beneath fail.</summary>
    public void RefuseWrites() => Run("chattr", "+i", _image);

    /// <summary>Takes writes again, after the file system has been mounted anew.</summary>
    public async Task MendAsync()
    {
        Run("chattr", "-i", _image);
        await UnmountAsync().ConfigureAwait(false);
        Mount();
    }

    /// <summary>Leaves as good as no room.</summary>
    /// <param name="left">Bytes to be left.</param>
    public void FillUp(long left)
    {
        Run("sync", "--file-system", Path);
        for (long size = new DriveInfo(Path).TotalFreeSpace; size > Block; size -= Math.Max(size / 16, Block))
        {
            // The greater part at once.
            if (TryRun("fallocate", "--length", $"{size}", Ballast) is null)
            {
                break;
            }
        }

        using FileStream ballast = new(Ballast, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
        ballast.Seek(0, SeekOrigin.End);
        try
        {
            for (byte[] block = new byte[Block]; ; ballast.Write(block))
            {
                if (ballast.Position % (64 * Block) == 0)
                {
                    ballast.Flush(flushToDisk: true);
                }
            }
        }
        catch (IOException)
        {
            // Full, as it was to be. To some file systems it is one too many already to take something away.
            TryRun("truncate", "--size", $"-{left}", Ballast);
        }
    }

    /// <summary>Makes room again.</summary>
    public void MakeRoom()
    {
        File.Delete(Ballast);
        Run("sync", "--file-system", Path);
    }

    public void Dispose()
    {
        if (File.Exists(_image))
        {
            TryRun("chattr", "-i", _image);
        }

        if (_isMounted && TryRun("umount", Path) is not null)
        {
            TryRun("umount", "--lazy", Path);
        }

        if (_device is not null)
        {
            TryRun("losetup", "--detach", _device);
        }

        Directory.Delete(_scratch, recursive: true);
    }

    private string Ballast => System.IO.Path.Combine(Path, "ballast");

    private static void Run(string program, params string[] arguments)
    {
        if (TryRun(program, arguments) is { } failure)
        {
            throw new DiskException(failure);
        }
    }

    private static string? TryRun(string program, params string[] arguments) => TryRun(out _, program, arguments);

    private static string? TryRun(out string output, string program, params string[] arguments)
    {
        output = "";
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            output = process.StandardOutput.ReadToEnd();
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"{program} {string.Join(' ', arguments)}: {errors.Trim()}";
        }
        catch (Win32Exception exception)
        {
            return $"{program}: {exception.Message}";
        }
    }

    private void Make(long bytes)
    {
        if (_type == None)
        {
            return;
        }

        using (FileStream file = File.Create(_image))
        {
            file.SetLength(bytes);
        }

        string[] options = _type switch
        {
            "btrfs" => ["-q", "--mixed", _image],
            "ext4" => ["-q", "-m", "0", _image],
            _ => ["-q", _image],
        };
        Run($"mkfs.{_type}", options);
        string? failure = TryRun(out string device, "losetup", "--find", "--show", _image);
        if (failure is not null)
        {
            throw new DiskException(failure);
        }

        _device = device.Trim();
        Mount();
    }

    private void Mount()
    {
        Run("mount", "-t", _type, _device!, Path);
        _isMounted = true;
    }

    /// <remarks>Of a process that has just ended the kernel may hold the files for a moment longer.</remarks>
    private async Task UnmountAsync()
    {
        for (int attempt = 1; TryRun("umount", Path) is { } failure; attempt++)
        {
            if (attempt == UnmountAttempts)
            {
                throw new DiskException(failure);
            }

            await Task.Delay(s_pause).ConfigureAwait(false);
        }

        _isMounted = false;
    }
}
