using System.Diagnostics;
using System.Text;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>Runs the built <c>kv</c> as a process of its own.</summary>
internal static class Kv
{
    private static readonly string s_path = System.IO.Path.Combine(AppContext.BaseDirectory, "kv.dll");

    public static KvResult Run(string[] arguments, string input = "")
    {
        using Process process = Start(arguments);
        return Finish(process, input);
    }

    /// <summary>Runs a shell script in which <c>kv</c> is the command; for what the runtime cannot pass on, such as arguments that are no text.</summary>
    /// <param name="script">The script.</param>
    /// <param name="arguments">Its $1, $2 and so on.</param>
    public static KvResult RunShell(string script, params string[] arguments)
    {
        ProcessStartInfo start = new("sh", ["-c", "kv() { dotnet \"$kv_path\" \"$@\"; }\n" + script, "sh", .. arguments]);
        start.Environment["kv_path"] = s_path;
        using Process process = Start(start);
        return Finish(process, "");
    }

    public static Process Start(string[] arguments) => Start(new ProcessStartInfo("dotnet", [s_path, .. arguments]));

    /// <summary>Starts a command that can be interrupted although the tests themselves may have been started with signals ignored, as a shell's background jobs and what nohup runs are.</summary>
    public static Process StartInterruptible(string[] arguments) =>
        Start(new ProcessStartInfo("env", ["--default-signal=INT,HUP", "dotnet", s_path, .. arguments]));

    /// <summary>Sends a signal to a process.</summary>
    public static void Signal(Process process, string signal) =>
        RunTool("kill", "-" + signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Sends a signal to a process that may have come to its end.</summary>
    public static void TrySignal(Process process, string signal)
    {
        if (!process.HasExited)
        {
            RunTool("sh", "-c", "kill -$0 $1 || true", signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Runs another program, which must succeed.</summary>
    public static void RunTool(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    /// <summary>Asserts that a command line ends with an exit code and exactly one line on stderr, which says something.</summary>
    public static void AssertFails(int exitCode, string message, string[] arguments, bool outputIsEmpty = true)
    {
        KvResult result = Run(arguments);
        Assert.True(result.ExitCode == exitCode, $"{string.Join(' ', arguments)}: exit code {result.ExitCode}, not {exitCode}: {result.Error}");
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Count(character => character == '\n'));
        Assert.StartsWith("kv: ", result.Error, StringComparison.Ordinal);
        if (outputIsEmpty)
        {
            Assert.Equal("", result.Output);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        start.StandardOutputEncoding = Encoding.UTF8;
        return Process.Start(start)!;
    }

    private static KvResult Finish(Process process, string input)
    {
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended without reading its input.
        }

        process.WaitForExit();
        return new KvResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }
}
