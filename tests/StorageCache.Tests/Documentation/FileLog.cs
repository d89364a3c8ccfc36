using Microsoft.Win32.SafeHandles;

namespace StorageCache.Tests.Documentation;

// begin
/// <summary>A log in a file. A record's number is the position of its end.</summary>
internal sealed class FileLog(SafeFileHandle file) : IWriteAheadLog
{
    private readonly Lock _appending = new();
    private readonly Lock _flushing = new();
    private long _end;
    private long _durable;
    private bool _hasFailed;

    public ulong LastLsn => (ulong)Volatile.Read(ref _end);

    public ulong DurableLsn => (ulong)Volatile.Read(ref _durable);

    public ulong Append(ReadOnlySpan<byte> record)
    {
        lock (_appending)
        {
            RandomAccess.Write(file, record, _end);
            Volatile.Write(ref _end, _end + record.Length);
            return LastLsn;
        }
    }

    // The cache asks on threads that must not block.
    public ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken = default) =>
        lsn <= DurableLsn ? ValueTask.CompletedTask : new(Task.Run(() => Flush(lsn), cancellationToken));

    private void Flush(ulong lsn)
    {
        lock (_flushing)
        {
            if (lsn > DurableLsn)
            {
                // After a failed flush nobody knows what is durable, whatever the next one says.
                if (_hasFailed)
                {
                    throw new IOException("The log has failed: open it anew, and recover.");
                }

                _hasFailed = true;
                long end = Volatile.Read(ref _end);
                RandomAccess.FlushToDisk(file);
                Volatile.Write(ref _durable, end);
                _hasFailed = false;
            }
        }
    }
}
// end
