using System.Diagnostics;
using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>A small file system mounted for one test. Skips the test where mounting is not possible.</summary>
internal sealed class MountedFileSystem : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    private MountedFileSystem()
    {
        Path = _directory.File("mount");
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    /// <summary>A tmpfs of limited size.</summary>
    public static MountedFileSystem Tmpfs(int bytes) => Create(mounted => TryRun("mount", "-t", "tmpfs", "-o", $"size={bytes}", "tmpfs", mounted.Path));

    /// <summary>A file system of the given type on a file.</summary>
    public static MountedFileSystem Loop(string type, long bytes) => Create(mounted =>
    {
        string image = mounted._directory.File("image");
        using (FileStream file = File.Create(image))
        {
            file.SetLength(bytes);
        }

        return TryRun($"mkfs.{type}", "-q", image) ?? TryRun("mount", "-t", type, "-o", "loop", image, mounted.Path);
    });

    public void Dispose()
    {
        string? failure = TryRun("umount", Path);
        if (failure is null)
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
