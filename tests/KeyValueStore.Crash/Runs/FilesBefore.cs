namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>A copy of the files of a run, as they were before its latest life, for whoever looks for the cause of what that life has found.</summary>
internal sealed class FilesBefore(string files, string copy)
{
    private readonly string _before = Path.Combine(copy, "before");

    /// <summary>Copies the files.</summary>
    public void Take()
    {
        if (Directory.Exists(_before))
        {
            Directory.Delete(_before, recursive: true);
        }

        Copy(_before);
    }

    /// <summary>Copies the files as they are now as well.</summary>
    /// <returns>Where the copies are.</returns>
    public string Keep()
    {
        Copy(Path.Combine(copy, "after"));
        return copy;
    }

    /// <summary>Removes the copies.</summary>
    public void Forget()
    {
        if (Directory.Exists(copy))
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    private void Copy(string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(files))
        {
            using System.Diagnostics.Process process = System.Diagnostics.Process.Start("cp", ["--sparse=always", file, Path.Combine(to, Path.GetFileName(file))]);
            process.WaitForExit();
        }
    }
}
