namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>What the control groups of a process, which are how containers are made, let it use.</summary>
internal static class ControlGroup
{
    /// <summary>The least memory that the process's group, or one around it, may use, in bytes; null when there is no limit to be found.</summary>
    /// <param name="groups">The file that names the process's groups, a line each: number, controllers, path.</param>
    /// <param name="root">Where the groups are mounted.</param>
    public static long? MemoryLimit(string groups, string root)
    {
        long? least = null;
        foreach (string line in KernelFile.ReadLines(groups))
        {
            string[] parts = line.Split(':', 3);
            if (parts.Length < 3)
            {
                continue;
            }

            // Version 2 has one tree of groups for everything, version 1 one for each controller.
            long? limit = parts[1].Length == 0 ? LeastOf(root, parts[2], "memory.max")
                : parts[1].Split(',').Contains("memory") ? LeastOf(Path.Combine(root, "memory"), parts[2], "memory.limit_in_bytes")
                : null;
            least = Least(least, limit);
        }

        return least;
    }

    /// <summary>Reads the limits of a group and of those around it. Inside a container the inner ones may not be there under that path, but the outermost one is.</summary>
    private static long? LeastOf(string root, string group, string file)
    {
        long? least = null;
        for (string path = group.Trim('/'); ; path = Path.GetDirectoryName(path) ?? "")
        {
            least = Least(least, KernelFile.ReadNumber(Path.Combine(root, path, file)));
            if (path.Length == 0)
            {
                return least;
            }
        }
    }

    private static long? Least(long? one, long? other) => one is { } first && other is { } second ? Math.Min(first, second) : one ?? other;
}
