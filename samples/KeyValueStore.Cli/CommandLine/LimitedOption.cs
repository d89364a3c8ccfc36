using System.CommandLine;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>An option whose value is text that not everything can be.</summary>
internal sealed class LimitedOption<T> : Option<T>, ILimited
{
    /// <param name="name">What the option is called.</param>
    /// <param name="allowed">What its value may be.</param>
    /// <param name="read">Reads a value: false when it is none.</param>
    public LimitedOption(string name, string allowed, TryRead read)
        : base(name)
    {
        Allowed = allowed;
        CustomParser = result =>
        {
            if (!read(result.Tokens[0].Value, out T value))
            {
                result.AddError(allowed);
            }

            return value;
        };
    }

    /// <summary>Reads a value out of text.</summary>
    public delegate bool TryRead(string text, out T value);

    public string Allowed { get; }
}
