namespace StorageCache.KeyValueStore.Cli;

/// <summary>How the process ends.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>Not found, a difference, a problem, something left out, or something that changed while it was read.</summary>
    public const int Negative = 1;

    /// <summary>The command line is wrong.</summary>
    public const int Usage = 2;

    /// <summary>An I/O error, or a file that is no sound store.</summary>
    public const int Failure = 3;

    /// <summary>Ended by Ctrl-C, SIGTERM or SIGHUP.</summary>
    public const int Interrupted = 130;
}
