using System.Text.Json;

namespace StorageCache.Workloads.Reporting;

/// <summary>Writes metrics for programs: an array of {name, value, unit}, with the target in words where there is one.</summary>
internal static class ReportJson
{
    /// <summary>Writes the metrics in the order given.</summary>
    public static void Write(Stream stream, IReadOnlyList<Metric> metrics)
    {
        using Utf8JsonWriter writer = new(stream, new JsonWriterOptions { Indented = true });
        writer.WriteStartArray();
        foreach (Metric metric in metrics)
        {
            writer.WriteStartObject();
            writer.WriteString("name", metric.Name);
            writer.WriteNumber("value", metric.Value);
            writer.WriteString("unit", metric.Unit);
            if (metric.Target is { } target)
            {
                writer.WriteString("target", target.Describe(metric.Value));
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
