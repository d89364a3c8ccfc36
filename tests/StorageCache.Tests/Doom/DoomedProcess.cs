using System.Diagnostics;
using StorageCache.Tests.IO;

namespace StorageCache.Tests.Doom;

/// <summary>Runs the built <c>StorageCache.Doomed</c> as a process of its own, since what it does ends the process.</summary>
internal static class DoomedProcess
{
    /// <param name="misuse">What it is to do; one of the names in its <c>Program.cs</c>.</param>
    public static (int ExitCode, string Output, string Error) Run(string misuse)
    {
        // A place of its own, that goes away: some systems leave a core file there.
        using ScratchDirectory directory = new();
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "StorageCache.Doomed.dll"), misuse])
        {
            WorkingDirectory = directory.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.GetAwaiter().GetResult());
    }
}
