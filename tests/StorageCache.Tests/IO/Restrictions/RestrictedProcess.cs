using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Xunit;

namespace StorageCache.Tests.IO.Restrictions;

/// <summary>Runs one test of this program in a process that may do less than this one.</summary>
internal sealed class RestrictedProcess
{
    /// <summary>The exit code that says that the restriction could not be had.</summary>
    public const int CannotRestrict = 77;

    private readonly Dictionary<string, string> _variables = [];
    private readonly List<string> _launcher = [];

    /// <summary>A system call fails.</summary>
    public RestrictedProcess Forbid(int systemCall, int errno) =>
        With(ForbiddenSystemCalls.Variable, string.Create(CultureInfo.InvariantCulture, $"{systemCall}:{errno}"));

    /// <summary>
    /// The process is a user of its own, without the right to lock memory, and may lock only so much. It may read any file, since its own
    /// program can lie where only root may.
    /// </summary>
    public RestrictedProcess LockAtMost(long bytes)
    {
        _launcher.AddRange(["prlimit", $"--memlock={bytes}:{bytes}"]);
        return OfAnotherUser();
    }

    /// <summary>The process is a user of its own, whom the limits on users hold. It may read any file.</summary>
    public RestrictedProcess OfAnotherUser()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can become somebody else.");
        string user = (200_000 + Environment.ProcessId).ToString(CultureInfo.InvariantCulture);
        _launcher.AddRange(["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]);
        _launcher.AddRange(["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--bounding-set=-all,+dac_read_search"]);
        return this;
    }

    /// <summary>A variable for the test to see.</summary>
    public RestrictedProcess With(string variable, string value)
    {
        _variables[variable] = value;
        return this;
    }

    /// <summary>Runs a test to its end; fails if it does, and skips where the process cannot be restricted.</summary>
    public async Task RunAsync(Type type, string test)
    {
        (int exitCode, string errors, string output) = await RunToItsEndAsync(type, test);
        Assert.True(exitCode == 0, $"exit code {exitCode}\n{errors}\n{output}");
        Assert.Contains("Total: 1,", output, StringComparison.Ordinal);
    }

    /// <summary>Runs a test to its end or the process's, and says which (128 and more: a signal); skips where the process cannot be restricted.</summary>
    public async Task<(int ExitCode, string Errors, string Output)> RunToItsEndAsync(Type type, string test)
    {
        string program = Path.ChangeExtension(Assembly.GetExecutingAssembly().Location, null);
        string[] command = [.. _launcher, program, "-noColor", "-method", $"{type.FullName}.{test}"];
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach ((string name, string value) in _variables)
        {
            start.Environment[name] = value;
        }

        try
        {
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.SkipWhen(process.ExitCode == CannotRestrict || errors.Contains("setpriv: ", StringComparison.Ordinal), $"A process cannot be restricted here: {errors.Trim()}");
            return (process.ExitCode, errors, await output);
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            Assert.Skip($"A process cannot be restricted here: {error.Message}");
            throw;
        }
    }
}
