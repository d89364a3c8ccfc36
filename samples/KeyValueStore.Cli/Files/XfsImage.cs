using System.ComponentModel;
using System.Diagnostics;

namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>A file system with reflinks of its own: an image in a file, mounted beside it until it is disposed of. Takes root.</summary>
internal sealed class XfsImage : IAsyncDisposable
{
    /// <summary>The least that <c>mkfs.xfs</c> makes is 300 MiB.</summary>
    private const long LeastBytes = 512L << 20;

    private const int UnmountAttempts = 20;

    private static readonly TimeSpan s_betweenAttempts = TimeSpan.FromMilliseconds(100);

    private readonly string _image;

    private XfsImage(string image, string directory)
    {
        _image = image;
        Directory = directory;
    }

    /// <summary>Where it is mounted.</summary>
    public string Directory { get; }

    /// <summary>Makes and mounts one.</summary>
    /// <param name="scratch">A directory for the image, which takes only what is written to it, and for the mount.</param>
    /// <param name="bytes">What it shall have room for.</param>
    /// <returns>The image, or why there is none.</returns>
    public static async Task<(XfsImage? Image, string? WhyNot)> TryMountAsync(string scratch, long bytes)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return (null, "only root can mount one");
        }

        XfsImage made = new(Path.Combine(scratch, "xfs.image"), Path.Combine(scratch, "xfs"));
        System.IO.Directory.CreateDirectory(made.Directory);
        using (FileStream file = File.Create(made._image))
        {
            file.SetLength(Math.Max(bytes, LeastBytes));
        }

        string? whyNot = await TryRunAsync("mkfs.xfs", "-q", "-m", "reflink=1", made._image)
            ?? await TryRunAsync("mount", "-t", "xfs", "-o", "loop", made._image, made.Directory);
        if (whyNot is null)
        {
            return (made, null);
        }

        made.Delete();
        return (null, whyNot);
    }

    /// <summary>Unmounts it and deletes it with all that is in it.</summary>
    public async ValueTask DisposeAsync()
    {
        // A file that was closed may be held for a moment yet, by the kernel or by a process that has only just begun.
        string? whyNot = await TryRunAsync("umount", Directory);
        for (int attempt = 1; whyNot is not null && attempt < UnmountAttempts; attempt++)
        {
            await Task.Delay(s_betweenAttempts);
            whyNot = await TryRunAsync("umount", Directory);
        }

        if (whyNot is not null && await TryRunAsync("umount", "--lazy", Directory) is not null)
        {
            ErrorReporting.Warn($"'{Directory}' is still mounted: {whyNot}");
            return;
        }

        Delete();
    }

    private void Delete()
    {
        File.Delete(_image);
        System.IO.Directory.Delete(Directory);
    }

    /// <summary>Runs a program to its end, also one of those that only root has on its path.</summary>
    /// <returns>Why it failed; null when it has not.</returns>
    private static async Task<string?> TryRunAsync(string program, params string[] arguments)
    {
        string[] administrative = [Path.Combine("/usr/sbin", program), Path.Combine("/sbin", program)];
        try
        {
            ProcessStartInfo start = new(administrative.FirstOrDefault(File.Exists) ?? program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            string errors = await process.StandardError.ReadToEndAsync();
            await output;
            await process.WaitForExitAsync();
            return process.ExitCode == 0 ? null : $"{program}: {errors.Trim()}";
        }
        catch (Win32Exception exception)
        {
            return $"{program}: {exception.Message}";
        }
    }
}
