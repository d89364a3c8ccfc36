using System.ComponentModel;
using System.Diagnostics;

namespace StorageCache.Workloads.Disk;

/// <summary>Other programs, run to their end.</summary>
internal static class ProgramRun
{
    /// <summary>Runs a program.</summary>
    /// <returns>What it wrote to its standard output.</returns>
    /// <exception cref="WorkloadFailedException">It failed, or is not installed.</exception>
    public static string Run(string program, params string[] arguments)
    {
        string? failure = TryRun(out string output, program, arguments);
        return failure is null ? output : throw new WorkloadFailedException(failure);
    }

    /// <summary>Runs a program.</summary>
    /// <returns>Why it failed, or null.</returns>
    public static string? TryRun(out string output, string program, params string[] arguments)
    {
        output = "";
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"{program} {string.Join(' ', arguments)}: {errors.GetAwaiter().GetResult().Trim()}";
        }
        catch (Win32Exception e)
        {
            return $"{program}: {e.Message}";
        }
    }
}
