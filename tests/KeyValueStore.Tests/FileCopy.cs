using System.Diagnostics;

namespace StorageCache.KeyValueStore.Tests;

/// <summary>Copies a file that the cache has locked, as a crash or a backup tool would find it: the runtime's own copy respects the lock.</summary>
internal static class FileCopy
{
    public static void OfOpenFile(string from, string to)
    {
        using Process process = Process.Start("cp", [from, to]);
        process.WaitForExit();
        Xunit.Assert.Equal(0, process.ExitCode);
    }
}
