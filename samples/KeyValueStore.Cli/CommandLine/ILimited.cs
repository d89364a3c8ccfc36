namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>An option or argument that says what it may be.</summary>
internal interface ILimited
{
    /// <summary>Ends the sentence "allowed: ...".</summary>
    string Allowed { get; }
}
