namespace StorageCache.KeyValueStore.Logging;

/// <summary>The file is not the log that was to be opened. It has not been changed.</summary>
internal sealed class LogFormatException : LogException
{
    internal LogFormatException(string path, LogDefect defect, string reason)
        : base(path, $"Cannot open the log '{path}': {reason}.")
    {
        Defect = defect;
    }

    /// <summary>What is wrong with it.</summary>
    public LogDefect Defect { get; }
}
