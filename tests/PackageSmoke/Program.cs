using StorageCache;

// What somebody who installs the package does first. Exits with 1 when something is not as it should be.
string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
try
{
    await using (PageCache cache = new(new PageCacheOptions { MemoryLimit = 16 << 20 }))
    {
        Console.WriteLine(cache.Capabilities);
        if (cache.Capabilities.NoNativeLibrary is { } reason)
        {
            Console.Error.WriteLine($"The native library did not come with the package: {reason}");
            return 1;
        }

        Mapping file = await cache.OpenAsync(path);
        using (PageWriteLease page = await file.WriteNewAsync(3))
        {
            "package"u8.CopyTo(page.Span);
            page.MarkDirty();
        }

        await file.FlushAsync();
        await file.CloseAsync();
    }

    await using (PageCache cache = new(new PageCacheOptions { MemoryLimit = 16 << 20 }))
    {
        Mapping file = await cache.OpenAsync(path);
        using PageReadLease page = await file.ReadAsync(3);
        if (!page.Span.StartsWith("package"u8))
        {
            Console.Error.WriteLine("What was written was not read back.");
            return 1;
        }
    }

    Console.WriteLine($"A page was written and read back ({(IsCompiledAhead() ? "compiled ahead of time" : "compiled just in time")}).");
    return 0;
}
finally
{
    File.Delete(path);
}

static bool IsCompiledAhead() => !System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported;
