using Xunit;

namespace StorageCache.Tests.Stress.Storms;

/// <summary>
/// Files that everybody writes, cuts, punches, closes and clones beside each other. All that is known of a page is that it holds one of
/// the values, and never a mixture.
/// </summary>
internal sealed class LooseFiles(StormCache cache, string directory)
{
    private const int Count = 4;
    private const int Pages = FileStorm.Pages;

    private readonly LooseFile[] _files = [.. Enumerable.Range(0, Count).Select(number => new LooseFile(number, Path.Combine(directory, $"loose{number}")))];

    public async Task CreateAsync(Random random)
    {
        foreach (LooseFile file in _files)
        {
            await file.OpenAsync(cache);
            for (int page = 0; page < Pages; page++)
            {
                using PageWriteLease lease = file.Mapping.WriteNew(page);
                cache.Values.Write(random.Next(PageValues.Count), lease);
            }
        }
    }

    public async Task StepAsync(StormWorker worker)
    {
        LooseFile file = _files[worker.Random.Next(Count)];
        try
        {
            await StepAsync(worker, file, file.Mapping, worker.Random.Next(Pages));
        }
        catch (Exception error) when (IsSomebodyElsesDoing(error))
        {
            await file.OpenAsync(cache);
        }
    }

    /// <summary>Demands that every page holds one of the values.</summary>
    public async Task AssertAllAsync()
    {
        foreach (LooseFile file in _files)
        {
            await file.OpenAsync(cache);
            for (int page = 0; page < file.Mapping.PageCount; page++)
            {
                Read(file.Mapping, file, page);
            }

            await file.Mapping.FlushAsync();
            file.Mapping.DontNeed(0, file.Mapping.PageCount);
        }
    }

    /// <summary>The same of the bytes on disk. The cache has been disposed of.</summary>
    public void AssertOnDisk()
    {
        foreach (LooseFile file in _files)
        {
            byte[] bytes = File.ReadAllBytes(file.Path);
            Assert.Equal(0, bytes.Length % cache.PageSize);
            for (int page = 0; page < bytes.Length / cache.PageSize; page++)
            {
                Check(file, page, bytes.AsSpan(page * cache.PageSize, cache.PageSize), "on disk at the end");
            }
        }
    }

    /// <summary>What happens to those who use a page, or a file, that others cut or close.</summary>
    private static bool IsSomebodyElsesDoing(Exception error) =>
        error is MappingClosedException or PageTruncatedException or ArgumentOutOfRangeException or MappingBusyException or OperationCanceledException;

    private async Task StepAsync(StormWorker worker, LooseFile file, Mapping mapping, int page)
    {
        Random random = worker.Random;
        int kind = random.Next(100);
        worker.Doing = $"does {kind} to page {page} of loose file {file.Number}";
        switch (kind)
        {
            case < 30:
                Read(mapping, file, page);
                break;
            case < 50:
                using (PageWriteLease lease = mapping.Write(page))
                {
                    Check(file, page, lease.Span, "to be written");
                    cache.Values.Write(random.Next(PageValues.Count), lease);
                }

                break;
            case < 55:
                using (PageWriteLease lease = await mapping.WriteNewAsync(page))
                {
                    cache.Values.Write(random.Next(PageValues.Count), lease);
                }

                break;
            case < 62:
                await HoldAsync(mapping, file, page);
                break;
            case < 66:
                using (PagePin pin = mapping.Pin(page))
                {
                    await Task.Yield();
                    using PageReadLease lease = pin.Read();
                    Check(file, page, lease.Span, "pinned");
                }

                break;
            case < 70:
                mapping.DontNeed(page, 20);
                break;
            case < 76:
                await mapping.FlushAsync();
                break;
            case < 83:
                await mapping.PunchAsync(page, random.Next(1, 9));
                break;
            case < 88:
                await mapping.TruncateAsync(page * (long)cache.PageSize);
                await mapping.ExtendAsync(Pages * (long)cache.PageSize);
                break;
            case < 91:
                mapping.Prefetch(page, 10);
                break;
            case < 95:
                await CloseAsync(random, file, mapping);
                break;
            default:
                await CloneAsync(worker, file, mapping);
                break;
        }
    }

    private async Task HoldAsync(Mapping mapping, LooseFile file, int page)
    {
        using HeldPage held = new(mapping, page, ProtectionReason.Replica, letsGo: true);
        if (held.TryCopy() is { } before)
        {
            Check(file, page, before, "held");
            await Task.Yield();
            Assert.True(held.TryCopy() is not { } after || after.AsSpan().SequenceEqual(before), $"page {page} of loose file {file.Number} is held and has changed (P-4)");
        }
    }

    private async Task CloseAsync(Random random, LooseFile file, Mapping mapping)
    {
        using CancellationTokenSource source = MakeCancelled(random, 5);
        await mapping.CloseAsync(source.Token);
        await file.OpenAsync(cache);
    }

    private async Task CloneAsync(StormWorker worker, LooseFile file, Mapping mapping)
    {
        string path = Path.Combine(directory, $"clone{worker.Number}");
        using CancellationTokenSource source = MakeCancelled(worker.Random, 10);
        Mapping clone = (await mapping.CloneAsync(path, source.Token)).Mapping;

        // What comes now blocks, which it must not where the cache may continue.
        await Task.Yield();
        try
        {
            for (int page = 0; page < clone.PageCount; page++)
            {
                Read(clone, file, page);
            }

            if (clone.PageCount > 0)
            {
                using PageWriteLease lease = clone.Write(worker.Random.NextInt64(clone.PageCount));
                cache.Values.Write(worker.Random.Next(PageValues.Count), lease);
            }
        }
        finally
        {
            await clone.CloseAsync();
            File.Delete(path);
        }
    }

    /// <summary>Is cancelled soon, one time in two.</summary>
    private static CancellationTokenSource MakeCancelled(Random random, int milliseconds)
    {
        CancellationTokenSource source = new();
        if (random.Next(2) == 0)
        {
            source.CancelAfter(random.Next(milliseconds));
        }

        return source;
    }

    private void Read(Mapping mapping, LooseFile file, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        Check(file, page, lease.Span, mapping == file.Mapping ? "read" : $"read in '{mapping.Path}'");
    }

    private void Check(LooseFile file, long page, ReadOnlySpan<byte> bytes, string how)
    {
        if (cache.Values.ValueOf(bytes) == PageValues.Torn)
        {
            Assert.Fail($"page {page} of loose file {file.Number}, {how}: {cache.Values.Describe(bytes)}");
        }
    }
}
