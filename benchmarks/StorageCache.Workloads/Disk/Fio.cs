using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace StorageCache.Workloads.Disk;

/// <summary>Runs fio with io_uring and direct I/O on a file, as the yardstick of what the device gives.</summary>
internal static class Fio
{
    /// <summary>Whether fio is installed; looked up once.</summary>
    public static bool IsInstalled { get; } = TryRun(["--version"], out _);

    /// <summary>Runs one job.</summary>
    /// <param name="path">The file; it exists and is as long as <paramref name="length"/>.</param>
    /// <param name="length">Bytes of it that are used.</param>
    /// <param name="mode">fio's <c>rw</c>: <c>randread</c>, <c>read</c>, <c>randwrite</c>, <c>write</c>.</param>
    /// <param name="blockSize">Bytes per operation.</param>
    /// <param name="depth">Operations in flight.</param>
    /// <param name="duration">How long to go on; zero for once through the file.</param>
    public static DiskFigures Run(string path, long length, string mode, int blockSize, int depth, TimeSpan duration)
    {
        List<string> arguments =
        [
            "--name=yardstick", $"--filename={path}", $"--rw={mode}", "--direct=1", "--ioengine=io_uring", "--output-format=json",
            "--norandommap", "--randrepeat=0", "--allow_file_create=0",
            string.Create(CultureInfo.InvariantCulture, $"--bs={blockSize}"),
            string.Create(CultureInfo.InvariantCulture, $"--iodepth={depth}"),
            string.Create(CultureInfo.InvariantCulture, $"--size={length}"),
        ];
        if (duration > TimeSpan.Zero)
        {
            arguments.Add("--time_based");
            arguments.Add(string.Create(CultureInfo.InvariantCulture, $"--runtime={(int)duration.TotalMilliseconds}ms"));
        }

        if (!TryRun(arguments, out string output))
        {
            throw new WorkloadFailedException($"fio failed: {output.Trim()}");
        }

        using JsonDocument document = JsonDocument.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..]);
        JsonElement job = document.RootElement.GetProperty("jobs")[0];
        JsonElement side = job.GetProperty(mode.EndsWith("read", StringComparison.Ordinal) ? "read" : "write");
        double seconds = side.GetProperty("runtime").GetDouble() / 1000;
        double cpu = (job.GetProperty("usr_cpu").GetDouble() + job.GetProperty("sys_cpu").GetDouble()) / 100;
        return new DiskFigures(
            side.GetProperty("total_ios").GetInt64(),
            side.GetProperty("io_bytes").GetInt64(),
            seconds,
            cpu * job.GetProperty("job_runtime").GetDouble() / 1000,
            AllocatedBytes: 0);
    }

    private static bool TryRun(IEnumerable<string> arguments, out string output)
    {
        ProcessStartInfo start = new("fio", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
            {
                output += errors.GetAwaiter().GetResult();
            }

            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            output = "fio is not installed";
            return false;
        }
    }
}
