using System.CommandLine;
using System.CommandLine.Parsing;

namespace StorageCache.KeyValueStore.Cli.CommandLine;

/// <summary>Says what is wrong with a command line in the form of <see cref="UsageException"/>, also where the parser has a form of its own.</summary>
internal static class ParseProblem
{
    /// <summary>The first problem: a wrong value before words too many before ones that are missing, since each may be due to the one before.</summary>
    public static UsageException Describe(ParseResult parsed) =>
        parsed.Errors.Select(DescribeValue).FirstOrDefault(problem => problem is not null)
        ?? (parsed.UnmatchedTokens.Count > 0 ? DescribeUnknown(parsed) : DescribeMissing(parsed.Errors[0]));

    private static UsageException? DescribeValue(ParseError error) => error.SymbolResult switch
    {
        OptionResult { IdentifierTokenCount: > 0, Tokens.Count: 0 } option => new($"{option.Option.Name} has no value", AllowedFor(option.Option)),
        OptionResult { Tokens.Count: > 1 } option => new($"{option.Option.Name} has {option.Tokens.Count} values", "one"),
        OptionResult { Tokens.Count: 1 } option => new($"{option.Option.Name} is {UsageException.Quote(option.Tokens[0].Value)}", AllowedFor(option.Option)),
        _ => null,
    };

    private static UsageException DescribeUnknown(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        IEnumerable<string> words = command.Subcommands.Select(subcommand => subcommand.Name)
            .Concat(command.Arguments.Select(argument => argument.Name))
            .Concat(command.Options.Select(option => option.Name));
        return new UsageException($"{UsageException.Quote(parsed.UnmatchedTokens[0])} is no word of '{command.Name}'", string.Join(", ", words));
    }

    private static UsageException DescribeMissing(ParseError error) => error.SymbolResult switch
    {
        OptionResult option => new($"{option.Option.Name} is missing", AllowedFor(option.Option)),
        ArgumentResult argument => new($"{argument.Argument.Name} is missing", AllowedFor(argument.Argument)),
        CommandResult { Command.Subcommands.Count: > 0 } command => new("the command is missing", string.Join(", ", command.Command.Subcommands.Select(subcommand => subcommand.Name))),
        _ => new(error.Message.TrimEnd('.'), "what --help says"),
    };

    private static string AllowedFor(Symbol symbol)
    {
        if (symbol is ILimited limited)
        {
            return limited.Allowed;
        }

        string description = symbol.Description!.TrimEnd('.');
        return char.ToLowerInvariant(description[0]) + description[1..];
    }
}
