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

    /// <summary>Copies an open store, its file first: what the file has is in the log then.</summary>
    public static void OfOpenStore(string from, string to)
    {
        OfOpenFile(from, to);
        OfOpenFile(from + ".log", to + ".log");
    }

    /// <summary>Writes 16 bytes of 0xFF at an offset, as a device that decays would.</summary>
    public static void DamageOpenFile(string path, long offset)
    {
        string script = $"head -c 16 /dev/zero | tr '\\0' '\\377' | dd of=\"$0\" bs=1 seek={offset} conv=notrunc status=none";
        using Process process = Process.Start("sh", ["-c", script, path]);
        process.WaitForExit();
        Xunit.Assert.Equal(0, process.ExitCode);
    }
}
