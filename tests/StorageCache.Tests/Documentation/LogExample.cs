using System.Text;
using Microsoft.Win32.SafeHandles;

namespace StorageCache.Tests.Documentation;

/// <summary>The README's example of a log, a codec and a checkpoint, as it stands there. <see cref="ReadmeTests"/> runs it and compares the two.</summary>
internal static class LogExample
{
    public static async Task RunAsync(string path, Guid fileId)
    {
        // begin
        using SafeFileHandle file = File.OpenHandle(path + ".log", FileMode.CreateNew, FileAccess.ReadWrite);
        FileLog log = new(file);
        await using var cache = new PageCache(new PageCacheOptions { MemoryLimit = 64 << 20 });
        Mapping pages = await cache.OpenAsync(path, new MappingOptions
        {
            Log = log,
            Codec = new ChecksumPageCodec(fileId), // A Guid that is the file's for good.
        });

        // First the record, then the change, which bears the record's number. No page is written before the log is durable up to that.
        ulong lsn;
        using (PageWriteLease page = await pages.WriteNewAsync(7))
        {
            lsn = log.Append("page 7: hello"u8);
            "hello"u8.CopyTo(page.Span);
            page.MarkDirty(lsn);
        }

        // The change is durable with its record. The page may be written any time later.
        await log.EnsureDurableAsync(lsn);

        // A checkpoint writes what is dirty, here at no more than 64 MiB a second, while readers and writers go on.
        ulong last = log.LastLsn;
        CheckpointResult checkpoint = await pages.CheckpointAsync(new CheckpointOptions { BytesPerSecond = 64 << 20 });

        // Recovery would need the records from this number on. Those before may go.
        ulong needed = Math.Min(last + 1, checkpoint.OldestLsn ?? ulong.MaxValue);
        Console.WriteLine($"{needed}, of {log.LastLsn}");

        // A page that is damaged, torn or in another's place is not given.
        try
        {
            using PageReadLease page = await pages.ReadAsync(7);
            Console.WriteLine(Encoding.UTF8.GetString(page.Span[..5]));
        }
        catch (PageCorruptException error)
        {
            Console.WriteLine($"{error.Path}, page {error.Page}: {error.Defect}");
        }

        // end
    }
}
