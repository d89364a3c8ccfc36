using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>An option without a value: the word after it is never taken for one, even if it is "true".</summary>
internal sealed class Flag : Option<bool>
{
    public Flag(string name, string description)
        : base(name)
    {
        Description = description;
        Arity = ArgumentArity.Zero;
    }
}
