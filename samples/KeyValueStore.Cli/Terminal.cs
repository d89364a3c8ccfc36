using Spectre.Console;

namespace StorageCache.KeyValueStore.Cli;

/// <summary>Where tables and progress bars go.</summary>
internal static class Terminal
{
    private const int PipedWidth = 110;

    private static readonly Lazy<IAnsiConsole> s_output = new(CreateOutput);

    /// <summary>Stdout, for tables.</summary>
    public static IAnsiConsole Output => s_output.Value;

    /// <summary>Whether somebody is looking: neither stdout nor stderr is piped, and this is no build machine.</summary>
    public static bool ShowsProgress =>
        !Console.IsOutputRedirected && !Console.IsErrorRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI"));

    /// <summary>Runs long work with a bar on stderr, or without one when nobody is looking.</summary>
    /// <param name="title">What is being done.</param>
    /// <param name="total">Units of the whole work; 0 when there is nothing to do.</param>
    /// <param name="work">The work; it is given where to report the units done so far, from any thread.</param>
    public static async Task<T> RunWithProgressAsync<T>(string title, double total, Func<Action<double>, Task<T>> work)
    {
        if (!ShowsProgress)
        {
            return await work(static _ => { });
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return await console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: Math.Max(total, 1));
                return await work(done => task.Value = done);
            });
    }

    /// <summary>A table of names and values.</summary>
    public static Table CreateTable(string title, params string[] columns)
    {
        Table table = new() { Title = new TableTitle(Markup.Escape(title)), Border = TableBorder.Simple };
        for (int i = 0; i < columns.Length; i++)
        {
            TableColumn column = new(Markup.Escape(columns[i]));
            table.AddColumn(i == 0 ? column.LeftAligned().NoWrap() : column.RightAligned());
        }

        return table;
    }

    private static IAnsiConsole CreateOutput()
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = PipedWidth;
        }

        return console;
    }
}
