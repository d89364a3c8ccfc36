namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>The command line as the kernel has it. The runtime's strings have U+FFFD for every byte that is no UTF-8, so that different keys look the same.</summary>
internal static class RawArguments
{
    private const char Replacement = '\uFFFD';
    private const string CommandLineFile = "/proc/self/cmdline";

    /// <summary>The arguments of this process with every byte kept, as <see cref="ByteText"/> keeps them.</summary>
    /// <param name="arguments">The arguments as the runtime gives them.</param>
    /// <exception cref="UsageException">An argument has lost bytes, and this system does not say which.</exception>
    public static string[] Recover(string[] arguments)
    {
        if (!arguments.Any(argument => argument.Contains(Replacement, StringComparison.Ordinal)))
        {
            return arguments;
        }

        return TryRecover(arguments, ReadCommandLine())
            ?? throw new UsageException(
                "an argument has bytes that are no UTF-8, and this system does not say which", "UTF-8 text; keys of other bytes with --hex");
    }

    /// <summary>Finds the arguments in the process's whole command line. Null when that is not the command line they come from.</summary>
    /// <param name="arguments">The arguments as the runtime gives them: the last words of the command line.</param>
    /// <param name="commandLine">The words of the command line, each ended by a zero byte.</param>
    public static string[]? TryRecover(string[] arguments, ReadOnlySpan<byte> commandLine)
    {
        List<string> words = [];
        while (commandLine.IndexOf((byte)0) is >= 0 and var end)
        {
            words.Add(ByteText.FromBytes(commandLine[..end]));
            commandLine = commandLine[(end + 1)..];
        }

        if (words.Count < arguments.Length)
        {
            return null;
        }

        string[] recovered = [.. words.TakeLast(arguments.Length)];
        for (int i = 0; i < arguments.Length; i++)
        {
            bool isExact = ByteText.IsText(recovered[i]);
            if (isExact ? recovered[i] != arguments[i] : !arguments[i].Contains(Replacement, StringComparison.Ordinal))
            {
                return null;
            }
        }

        return recovered;
    }

    private static byte[] ReadCommandLine()
    {
        try
        {
            return File.ReadAllBytes(CommandLineFile);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
