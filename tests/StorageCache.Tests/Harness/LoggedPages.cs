using System.Buffers.Binary;
using System.Collections.Concurrent;
using StorageCache.IO;

namespace StorageCache.Tests.Harness;

/// <summary>Pages that say in their bytes what they were marked with, so that a device can see whether the log has it when they arrive.</summary>
internal static class LoggedPages
{
    /// <summary>Changes a page, under a number that it bears from then on.</summary>
    public static void Change(Mapping mapping, long page, ulong lsn)
    {
        using PageWriteLease lease = mapping.Write(page);
        Change(lease, lsn);
    }

    /// <summary>Changes a page that is held.</summary>
    public static void Change(in PageWriteLease lease, ulong lsn)
    {
        lease.MarkDirty(lsn);
        BinaryPrimitives.WriteUInt64LittleEndian(lease.Span, lsn);
        BinaryPrimitives.WriteUInt64LittleEndian(lease.Span[^8..], lsn);
    }

    /// <summary>What a page of a device bears.</summary>
    public static ulong Read(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt64LittleEndian(page);

    /// <summary>Has a device note each page that arrives before the log is durable up to what it bears. (WB-16)</summary>
    public static ConcurrentQueue<string> Watch(ScriptedDevice device, IWriteAheadLog log)
    {
        ConcurrentQueue<string> early = [];
        device.Watch = request => Check(request, log, early);
        return early;
    }

    private static void Check(BlockRequest request, IWriteAheadLog log, ConcurrentQueue<string> early)
    {
        if (request.Operation != BlockOperation.Write)
        {
            return;
        }

        long offset = request.Offset;
        foreach (BlockSegment segment in request.Segments)
        {
            ulong first = segment.Length >= 8 ? Read(segment.Span) : 0;
            ulong last = segment.Length == 4096 ? Read(segment.Span[^8..]) : first;
            ulong durable = log.DurableLsn;
            if (first > durable || last > durable)
            {
                early.Enqueue($"page {offset / 4096} bears {first} and {last}, and the log is durable up to {durable}");
            }

            offset += segment.Length;
        }
    }
}
