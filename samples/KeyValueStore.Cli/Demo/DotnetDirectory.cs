using System.Runtime.InteropServices;

namespace StorageCache.KeyValueStore.Cli.Demo;

/// <summary>Finds the directory of the installed .NET SDK.</summary>
internal static class DotnetDirectory
{
    /// <summary>The root of the running runtime, DOTNET_ROOT, or where <c>dotnet</c> on the PATH really is: the first of them with an SDK, else the first there is.</summary>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    public static string Find()
    {
        string[] candidates = [.. Candidates().Where(Directory.Exists)];
        return candidates.FirstOrDefault(path => Directory.Exists(Path.Combine(path, "sdk")))
            ?? candidates.FirstOrDefault()
            ?? throw new DirectoryNotFoundException("No .NET installation was found; name a directory: kv demo DIR.");
    }

    private static IEnumerable<string> Candidates()
    {
        // The runtime is in {root}/shared/Microsoft.NETCore.App/{version}/.
        string runtime = Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory());
        DirectoryInfo? shared = new DirectoryInfo(runtime).Parent?.Parent;
        if (shared is { Name: "shared", Parent: { } root })
        {
            yield return root.FullName;
        }

        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } variable)
        {
            yield return variable;
        }

        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        foreach (string directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            FileInfo file = new(Path.Combine(directory, name));
            if (file.Exists)
            {
                FileSystemInfo target = file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
                yield return Path.GetDirectoryName(target.FullName)!;
            }
        }
    }
}
