using StorageCache.KeyValueStore.Cli.CommandLine;

namespace StorageCache.KeyValueStore.Cli;

/// <summary>Turns what a command throws into one line on stderr and an exit code.</summary>
internal static class ErrorReporting
{
    public static async Task<int> RunAsync(Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (OperationCanceledException)
        {
            return Report("interrupted", ExitCode.Interrupted);
        }
        catch (UsageException exception)
        {
            return Report($"{exception.Message} Try 'kv --help'.", ExitCode.Usage);
        }
        catch (ArgumentException exception)
        {
            return Report(exception.Message, ExitCode.Usage);
        }
        catch (Exception exception)
        {
            return Report(exception.Message, ExitCode.Failure);
        }
    }

    public static int Report(string message, int exitCode)
    {
        Warn(message);
        return exitCode;
    }

    /// <summary>Says something on stderr, in one line. If that cannot be, the exit code has to do.</summary>
    public static void Warn(string message)
    {
        try
        {
            Console.Error.WriteLine($"kv: {message.ReplaceLineEndings(" ")}");
        }
        catch (IOException)
        {
        }
    }
}
