using System.CommandLine;
using StorageCache.KeyValueStore.Cli;
using StorageCache.KeyValueStore.Cli.Commands;

RootCommand root = new(
    """
    An ordered key-value store on a StorageCache page cache.

    Keys and values on the command line are UTF-8 text; a key has at most 1,024 bytes, a value at most 64 MiB.

    Exit codes:
      0    done
      1    not found (get, delete), a problem (check), a difference (demo), or files left out (load)
      2    wrong usage
      3    I/O error, or the file is not a sound store
      130  ended by Ctrl-C
    """);
root.Add(LoadCommand.Create());
root.Add(PutCommand.Create());
root.Add(GetCommand.Create());
root.Add(DeleteCommand.Create());
root.Add(ScanCommand.Create());
root.Add(CheckCommand.Create());
root.Add(StatsCommand.Create());
root.Add(DemoCommand.Create());

// Keys and values may begin with '@': no argument names a file of further arguments.
ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
if (parsed.Errors.Count > 0)
{
    string problem = parsed.UnmatchedTokens.Count > 0 ? $"'{parsed.UnmatchedTokens[0]}' is no command or argument here." : parsed.Errors[0].Message;
    Console.Error.WriteLine($"kv: {problem} Try 'kv --help'.");
    return ExitCode.Usage;
}

// A command that is told to end flushes its store first, which may take a while.
InvocationConfiguration configuration = new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(60) };
return await ErrorReporting.RunAsync(() => parsed.InvokeAsync(configuration));
