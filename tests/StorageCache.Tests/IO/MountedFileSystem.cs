using System.Diagnostics;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>A small file system mounted for one test. Skips the test where mounting is not possible.</summary>
internal sealed class MountedFileSystem : IDisposable
{
    private const int MakeAttempts = 10;

    private readonly ScratchDirectory _directory = new();

    /// <summary>What mounts it again; null if what it holds goes with the mount.</summary>
    private Func<string?>? _mount;

    private MountedFileSystem()
    {
        Path = _directory.File("mount");
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    /// <summary>A tmpfs of limited size.</summary>
    public static MountedFileSystem Tmpfs(int bytes) => Create(mounted => TryRun("mount", "-t", "tmpfs", "-o", $"size={bytes}", "tmpfs", mounted.Path));

    /// <summary>A ramfs, which has no holes.</summary>
    public static MountedFileSystem Ramfs() => Create(mounted => TryRun("mount", "-t", "ramfs", "ramfs", mounted.Path));

    /// <summary>A file system of the given type on a file.</summary>
    /// <param name="type">As <c>mkfs</c> and <c>mount</c> call it.</param>
    /// <param name="bytes">Size of the file.</param>
    /// <param name="mountOptions">For <c>mount -o</c>.</param>
    /// <param name="makeOptions">For <c>mkfs</c>.</param>
    public static MountedFileSystem Loop(string type, long bytes, string mountOptions = "loop", params string[] makeOptions) => Create(mounted =>
    {
        string image = mounted._directory.File("image");
        using (FileStream file = File.Create(image))
        {
            file.SetLength(bytes);
        }

        return Make(type, makeOptions, image) ?? mounted.MountFirst(type, mountOptions, image);
    });

    /// <summary>A file system of the given type on a block device, which loses what it held.</summary>
    public static MountedFileSystem On(string device, string type, params string[] makeOptions) =>
        Create(mounted => Make(type, makeOptions, device) ?? mounted.MountFirst(type, "defaults", device));

    /// <summary>A copy of this file system, block by block, as a snapshot of its disk would be; mounted beside it.</summary>
    /// <param name="type">As it was made.</param>
    /// <param name="mountOptions">For <c>mount -o</c>.</param>
    public MountedFileSystem Copy(string type, string mountOptions = "loop") => Create(mounted =>
    {
        string image = mounted._directory.File("image");
        return TryRun("sync", "--file-system", Path)
            ?? TryRun("cp", "--sparse=always", _directory.File("image"), image)
            ?? mounted.MountFirst(type, mountOptions, image);
    });

    /// <summary>Leaves no room for data.</summary>
    /// <param name="ballast">A file in it, to be deleted to make room again.</param>
    public void FillUp(string ballast)
    {
        const int Block = 4096;
        Assert.Null(TryRun("sync", "--file-system", Path));
        long most = new DriveInfo(Path).TotalFreeSpace;
        for (long size = most; size > Block; size -= Math.Max(size / 16, Block))
        {
            // The greater part at once.
            if (TryRun("fallocate", "--length", $"{size}", ballast) is null)
            {
                break;
            }
        }

        byte[] block = new byte[Block];
        using FileStream file = new(ballast, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
        file.Seek(0, SeekOrigin.End);
        while (true)
        {
            try
            {
                file.Write(block);
                if (file.Position % (64 * Block) == 0)
                {
                    file.Flush(flushToDisk: true);
                }
            }
            catch (IOException)
            {
                return;
            }
        }
    }

    /// <summary>Unmounts and mounts: nothing is there afterwards but what is on the disk.</summary>
    /// <remarks>
    /// A file that was closed may be held for a moment: by a ring after its last completion, or by a process that another test has just
    /// started and that has not come to its own program yet.
    /// </remarks>
    public void Remount()
    {
        Assert.NotNull(_mount);
        Wait.Until(() => TryRun("umount", Path) is null, $"'{Path}' to be unmounted");
        Assert.Null(_mount());
    }

    public void Dispose()
    {
        // Lazily, since a file may be held for a moment (see Remount), or be left open by a test that failed: it ends when nobody has it.
        if (TryRun("umount", Path) is null || TryRun("umount", "--lazy", Path) is null)
        {
            _directory.Dispose();
        }
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Why it failed, or null.</returns>
    public static string? TryRun(string program, params string[] arguments) => TryRun(out _, program, arguments);

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Why it failed, or null.</returns>
    public static string? TryRun(out string output, string program, params string[] arguments)
    {
        output = "";
        try
        {
            ProcessStartInfo start = new(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
            using Process process = Process.Start(start)!;
            output = process.StandardOutput.ReadToEnd();
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"{program}: {errors.Trim()}";
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return $"{program}: {e.Message}";
        }
    }

    /// <remarks>
    /// <c>mkfs.btrfs</c> looks whether its target is mounted, and fails if a loop device of another test goes while it does.
    /// </remarks>
    private static string? Make(string type, string[] options, string target)
    {
        string? failure = null;
        for (int attempt = 0; attempt < MakeAttempts; attempt++)
        {
            failure = TryRun($"mkfs.{type}", ["-q", .. options, target]);
            if (failure?.Contains("cannot check mount status", StringComparison.Ordinal) != true)
            {
                break;
            }
        }

        return failure;
    }

    private string? MountFirst(string type, string options, string source)
    {
        _mount = () => TryRun("mount", "-t", type, "-o", options, source, Path);
        return _mount();
    }

    private static MountedFileSystem Create(Func<MountedFileSystem, string?> mount)
    {
        MountedFileSystem mounted = new();
        string? failure = mount(mounted);
        if (failure is not null)
        {
            mounted._directory.Dispose();
            Assert.Skip($"The file system cannot be mounted here: {failure}");
        }

        return mounted;
    }
}
