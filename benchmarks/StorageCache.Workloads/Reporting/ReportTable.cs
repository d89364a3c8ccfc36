using System.Globalization;

namespace StorageCache.Workloads.Reporting;

/// <summary>Writes metrics for people: one line each, columns aligned.</summary>
internal static class ReportTable
{
    private static readonly string[] s_header = ["metric", "median", "min", "max", "unit", "rounds", "target"];

    /// <summary>Writes the metrics in the order given.</summary>
    public static void Write(TextWriter writer, IReadOnlyList<Metric> metrics)
    {
        List<string[]> rows = [s_header, .. metrics.Select(Cells)];
        int[] widths = [.. s_header.Select((_, column) => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
        {
            IEnumerable<string> cells = row.Select((cell, column) => IsNumber(column) ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]));
            writer.WriteLine(string.Join("  ", cells).TrimEnd());
        }
    }

    private static bool IsNumber(int column) => column is 1 or 2 or 3 or 5;

    private static string[] Cells(Metric metric) =>
    [
        metric.Name,
        Figure(metric.Value),
        Figure(metric.Minimum),
        Figure(metric.Maximum),
        metric.Unit,
        metric.Rounds.ToString(CultureInfo.InvariantCulture),
        metric.Target?.Describe(metric.Value) ?? "",
    ];

    private static string Figure(double value) => value.ToString(Math.Abs(value) < 100 ? "0.00" : "0", CultureInfo.InvariantCulture);
}
