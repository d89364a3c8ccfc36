using Xunit;

namespace StorageCache.Tests.IO;

/// <summary>A block device over a file. Skips the test where there is none to be had.</summary>
internal sealed class LoopDevice : IDisposable
{
    private LoopDevice(string path) => Path = path;

    /// <summary>Path of the device's node.</summary>
    public string Path { get; }

    /// <summary>Makes a block device of a file.</summary>
    public static LoopDevice Over(string file)
    {
        string? failure = MountedFileSystem.TryRun(out string output, "losetup", "--find", "--show", file);
        Assert.SkipUnless(failure is null, $"No loop device can be had here: {failure}");
        return new LoopDevice(output.Trim());
    }

    public void Dispose() => MountedFileSystem.TryRun("losetup", "--detach", Path);
}
