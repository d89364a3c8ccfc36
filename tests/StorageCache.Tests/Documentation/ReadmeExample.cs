using System.Text;

namespace StorageCache.Tests.Documentation;

/// <summary>The example of the README, as it stands there. <see cref="ReadmeTests"/> runs it and compares the two.</summary>
internal static class ReadmeExample
{
    public static async Task RunAsync(string path)
    {
        // begin
        await using var cache = new PageCache(new PageCacheOptions { MemoryLimit = 64 << 20 });
        Mapping file = await cache.OpenAsync(path);

        // An exclusive lease is the only way to writable bytes. A new page need not be read first.
        using (PageWriteLease page = await file.WriteNewAsync(7))
        {
            "hello"u8.CopyTo(page.Span);
            page.MarkDirty();
        }

        // A shared lease. On a hit it completes synchronously and allocates nothing.
        using (PageReadLease page = await file.ReadAsync(7))
        {
            Console.WriteLine(Encoding.UTF8.GetString(page.Span[..5]));
        }

        // An optimistic read takes no latch: look, then ask whether what was seen is what the page held.
        OptimisticRead look = file.ReadOptimistic(7);
        byte first = look.Span[0];
        if (look.Validate())
        {
            Console.WriteLine((char)first);
        }

        // A pin keeps the root of a tree in memory; leases are taken from it without a look-up.
        using (PagePin root = file.Pin(7))
        using (PageReadLease page = root.Read())
        {
            Console.WriteLine(page.Page);
        }

        // Everything marked dirty before the call is on stable storage when it returns, or it throws.
        await file.FlushAsync();
        await file.CloseAsync();
        Console.WriteLine(cache.GetStatistics());
        // end
    }
}
