using System.Buffers.Binary;

namespace StorageCache.KeyValueStore.Crash.Reports;

/// <summary>Reads reports from a pipe whose other end may go at any moment.</summary>
internal sealed class ReportReader(Stream pipe)
{
    private readonly byte[] _length = new byte[sizeof(int)];

    /// <summary>Reads the next report; null at the end. One that is there in part was never made.</summary>
    public async ValueTask<Report?> ReadAsync(CancellationToken cancellationToken)
    {
        if (await pipe.ReadAtLeastAsync(_length, _length.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < _length.Length)
        {
            return null;
        }

        byte[] bytes = new byte[BinaryPrimitives.ReadInt32LittleEndian(_length)];
        return await pipe.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < bytes.Length
            ? null
            : Parse(bytes);
    }

    private static Report Parse(byte[] bytes)
    {
        using BinaryReader reader = new(new MemoryStream(bytes));
        ReportKind kind = (ReportKind)reader.ReadByte();
        string store = reader.ReadString();
        long operation = reader.ReadInt64();
        Change[] changes = new Change[reader.ReadInt32()];
        for (int i = 0; i < changes.Length; i++)
        {
            changes[i] = new Change(reader.ReadInt32(), reader.ReadInt64());
        }

        return new Report(kind, store, operation, changes, reader.ReadString());
    }
}
