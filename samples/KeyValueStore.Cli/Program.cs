using System.CommandLine;
using StorageCache.KeyValueStore.Cli;
using StorageCache.KeyValueStore.Cli.CommandLine;
using StorageCache.KeyValueStore.Cli.Commands;

RootCommand root = new(
    """
    An ordered key-value store on a StorageCache page cache.

    A key has at most 1,024 bytes, a value at most 64 MiB. Keys and values on the command line are taken as the bytes they are, UTF-8 or not; with --hex keys
    are given and printed as hexadecimal digits, so that every key can be said.

    Exit codes:
      0    done
      1    not found (get, delete); a problem (check); a difference, or too much memory (demo); files left out, or changed while they were read (load)
      2    wrong usage; the message says which option or argument, its value, and what is allowed
      3    I/O error, or the file is not a sound store
      130  ended by Ctrl-C, SIGTERM or SIGHUP; the store is closed properly
    """);
root.Add(LoadCommand.Create());
root.Add(PutCommand.Create());
root.Add(GetCommand.Create());
root.Add(DeleteCommand.Create());
root.Add(ScanCommand.Create());
root.Add(CheckCommand.Create());
root.Add(StatsCommand.Create());
root.Add(CloneCommand.Create());
root.Add(DemoCommand.Create());

return await ErrorReporting.RunAsync(RunAsync);

async Task<int> RunAsync()
{
    // Keys and values may begin with '@': no argument names a file of further arguments.
    ParseResult parsed = root.Parse(RawArguments.Recover(args), new ParserConfiguration { ResponseFileTokenReplacer = null });
    if (parsed.Errors.Count > 0)
    {
        throw ParseProblem.Describe(parsed);
    }

    // A command that is told to end flushes its store first, which may take a while.
    InvocationConfiguration configuration = new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(60) };
    using FurtherSignals signals = new();
    return await parsed.InvokeAsync(configuration, signals.Token);
}
