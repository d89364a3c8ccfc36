using System.Globalization;

namespace StorageCache.KeyValueStore.Cli.Files;

/// <summary>Numbers in files that the kernel writes. Null for what is not there: not every system has them.</summary>
internal static class KernelFile
{
    /// <summary>The amount of memory on the line that begins with a name, such as "MemTotal: 16384 kB", in bytes.</summary>
    public static long? ReadMemory(string path, string name) =>
        ReadLines(path).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal)) is { } line
        && TryParse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), out long kibibytes) ? kibibytes * 1024 : null;

    /// <summary>The number that is all the file says.</summary>
    public static long? ReadNumber(string path) => ReadLines(path).FirstOrDefault() is { } line && TryParse(line, out long number) ? number : null;

    private static bool TryParse(string text, out long number) => long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>The lines of the file; none when it cannot be read.</summary>
    public static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
