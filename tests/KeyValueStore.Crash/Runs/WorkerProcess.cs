using System.Diagnostics;
using System.Text.Json;
using StorageCache.KeyValueStore.Crash.Reports;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>A worker in a process of its own.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private const int LinesOfError = 40;

    private readonly Process _process;
    private readonly ReportReader _reader;
    private readonly Queue<string> _errors = new();
    private readonly Task _readingErrors;

    private WorkerProcess(Process process)
    {
        _process = process;
        _reader = new ReportReader(process.StandardOutput.BaseStream);
        _readingErrors = ReadErrorsAsync(process.StandardError);
    }

    /// <summary>Starts a worker.</summary>
    public static WorkerProcess Start(LifePlan plan)
    {
        // By its assembly: the program beside it is there for people, and a test has another one.
        ProcessStartInfo start = new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList = { "exec", typeof(WorkerProcess).Assembly.Location, "worker", JsonSerializer.Serialize(plan) },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["DOTNET_TieredPGO"] = "0" },
        };
        return new WorkerProcess(Process.Start(start)!);
    }

    /// <summary>Does what a worker's process does.</summary>
    public static async Task<int> RunAsync(string plan)
    {
        await using Worker worker = new(JsonSerializer.Deserialize<LifePlan>(plan)!, new ReportWriter(Console.OpenStandardOutput()));
        await worker.RunAsync(Console.OpenStandardInput()).ConfigureAwait(false);
        return 0;
    }

    /// <summary>What the worker says next; null when it is gone.</summary>
    public ValueTask<Report?> ReadAsync(CancellationToken cancellationToken) => _reader.ReadAsync(cancellationToken);

    /// <summary>Has the worker close its stores and end.</summary>
    public void EndInput()
    {
        try
        {
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It is gone.
        }
    }

    /// <summary>SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Ends the worker, with its stores closed or not.</summary>
    /// <param name="kills">Whether it is killed.</param>
    public void End(bool kills)
    {
        if (kills)
        {
            Kill();
        }
        else
        {
            EndInput();
        }
    }

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit code, and what was said on standard error.</returns>
    public async Task<(int ExitCode, string Errors)> WaitAsync()
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        await _readingErrors.ConfigureAwait(false);
        return (_process.ExitCode, string.Join(Environment.NewLine, _errors));
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private async Task ReadErrorsAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            _errors.Enqueue(line);
            if (_errors.Count > LinesOfError)
            {
                _errors.Dequeue();
            }
        }
    }
}
