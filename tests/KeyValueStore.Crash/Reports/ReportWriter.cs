using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Crash.Reports;

/// <summary>Writes reports into a pipe, each in one write. Thread-safe.</summary>
internal sealed class ReportWriter(Stream pipe)
{
    private readonly Lock _lock = new();
    private readonly MemoryStream _buffer = new();

    /// <summary>Writes a report. When it returns, the report outlives this process.</summary>
    public void Write(Report report)
    {
        lock (_lock)
        {
            _buffer.SetLength(0);
            using BinaryWriter writer = new(_buffer, System.Text.Encoding.UTF8, leaveOpen: true);
            writer.Write(0);
            writer.Write((byte)report.Kind);
            writer.Write(report.Store);
            writer.Write(report.Operation);
            writer.Write(report.Changes.Count);
            foreach (Change change in report.Changes)
            {
                writer.Write(change.Key);
                writer.Write(change.Version);
            }

            writer.Write(report.Text);
            writer.Flush();
            Span<byte> bytes = _buffer.GetBuffer().AsSpan(0, (int)_buffer.Length);
            BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length - sizeof(int));
            pipe.Write(bytes);
        }
    }
}
