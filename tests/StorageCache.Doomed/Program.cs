using StorageCache;
using StorageCache.IO;

// Everything up to here must go well for the end of the process to mean anything, and nobody else has the page: the copy
// that comes second is always noticed.
await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20 });
Mapping mapping = await cache.OpenAsync(new MemoryBlockDevice("doomed", 64 << 10));
Console.WriteLine("begun");
switch (args[0])
{
    case "nothing":
        break;
    case "read":
        PageReadLease read = mapping.Read(0);
        PageReadLease readCopy = read;
        read.Dispose();
        readCopy.Dispose();
        break;
    case "write":
        PageWriteLease write = mapping.Write(0);
        PageWriteLease writeCopy = write;
        write.Dispose();
        writeCopy.Dispose();
        break;
    case "write-downgraded":
        PageWriteLease downgraded = mapping.Write(0);
        PageWriteLease downgradedCopy = downgraded;
        PageReadLease shared = downgraded.Downgrade();
        downgradedCopy.Dispose();
        shared.Dispose();
        break;
    case "pin":
        PagePin pin = mapping.Pin(0);
        PagePin pinCopy = pin;
        pin.Dispose();
        pinCopy.Dispose();
        break;
    default:
        throw new ArgumentException($"Nothing is known by the name of '{args[0]}'.");
}

Console.WriteLine("survived");
