using System.Collections.Concurrent;
using Xunit;

namespace StorageCache.Tests.Stress.Storms;

/// <summary>
/// Files with an exact model: one value per page, and a lock for each. Whoever punches, cuts, reopens or replaces a file has it alone;
/// everybody else shares it; flushes and evictions come at any time.
/// </summary>
internal sealed partial class ExactFiles(StormCache cache, string directory)
{
    private const int Count = 4;
    private const int Pages = FileStorm.Pages;

    /// <summary>Pages that are held for longer than a step.</summary>
    private const int MostKept = 6;

    private readonly ExactFile[] _files = [.. Enumerable.Range(0, Count).Select(number => new ExactFile(number, directory, Pages))];
    private readonly ConcurrentQueue<(HeldPage Held, ExactFile File, int Page, int Value)> _kept = [];

    /// <summary>Makes the files: one is written, and another, which has its extents, cloned from it.</summary>
    public async Task CreateAsync(Random random)
    {
        for (int number = 0; number < Count; number += 2)
        {
            ExactFile file = _files[number];
            file.Mapping = await cache.OpenAsync(file.Path);
            for (int page = 0; page < Pages; page++)
            {
                int value = random.Next(PageValues.Count);
                using PageWriteLease lease = file.Mapping.WriteNew(page);
                cache.Values.Write(value, lease);
                file.Values[page] = value;
                file.Histories[page].Note(-1, "made", value);
            }

            await CloneAsync(new StormWorker(-1, random.Next()), file, _files[number + 1], mayCancel: false);
        }
    }

    public async Task StepAsync(StormWorker worker)
    {
        ExactFile file = _files[worker.Random.Next(Count)];
        switch (worker.Random.Next(100))
        {
            case < 30:
                UsePages(worker, file, "reads", Read);
                break;
            case < 38:
                UsePages(worker, file, "reads optimistically", ReadOptimistically);
                break;
            case < 60:
                UsePages(worker, file, "writes", Write);
                break;
            case < 70:
                UsePages(worker, file, "holds", Hold);
                break;
            case < 74:
                worker.Doing = $"flushes file {file.Number}";
                await FlushAsync(worker, file);
                break;
            case < 78:
                await FlushBesideWritesAsync(worker, file);
                break;
            case < 84:
                worker.Doing = $"evicts file {file.Number}";
                cache.TryDontNeed(file.Mapping, worker.Random.Next(Pages), worker.Random.Next(Pages));
                break;
            case < 86:
                worker.Doing = "resizes";
                await cache.ResizeAsync(worker.Random);
                break;
            case < 90:
                await AloneAsync(worker, file, "punches", PunchAsync);
                break;
            case < 93:
                await AloneAsync(worker, file, "cuts", CutAsync);
                await FlushBesideWritesAsync(worker, file);
                break;
            case < 95:
                await AloneAsync(worker, file, "reopens", ReopenAsync);
                break;
            default:
                await ReplaceAsync(worker, file, _files[(file.Number + worker.Random.Next(1, Count)) % Count]);
                break;
        }
    }

    /// <summary>Demands that everything reads as it ought to, from memory and from the device, twice.</summary>
    public async Task AssertAllAsync()
    {
        while (_kept.TryDequeue(out (HeldPage Held, ExactFile File, int Page, int Value) kept))
        {
            LetGo(kept.Held, kept.File, kept.Page, kept.Value);
        }

        StormWorker worker = new(-1, seed: 0);
        for (int time = 0; time < 2; time++)
        {
            foreach (ExactFile file in _files)
            {
                for (int page = 0; page < Pages; page++)
                {
                    Read(worker, file, page);
                }

                await file.Mapping.FlushAsync();
                file.Mapping.DontNeed(0, Pages);
            }
        }
    }

    /// <summary>Demands that the files hold on disk what they ought to. The cache has been disposed of.</summary>
    public void AssertOnDisk()
    {
        foreach (ExactFile file in _files)
        {
            byte[] bytes = File.ReadAllBytes(file.Path);
            Assert.Equal(Pages * (long)cache.PageSize, bytes.Length);
            for (int page = 0; page < Pages; page++)
            {
                Check(file, page, bytes.AsSpan(page * cache.PageSize, cache.PageSize), file.Values[page], "on disk at the end");
            }
        }
    }

    private static void UsePages(StormWorker worker, ExactFile file, string doing, Action<StormWorker, ExactFile, int> use, int most = 8)
    {
        int first = worker.Random.Next(Pages);
        int end = Math.Min(Pages, first + worker.Random.Next(1, most + 1));
        file.Share();
        try
        {
            for (int page = first; page < end; page++)
            {
                worker.Doing = $"{doing} page {page} of file {file.Number}";
                use(worker, file, page);
            }
        }
        finally
        {
            file.EndSharing();
        }
    }

    private static async Task AloneAsync(StormWorker worker, ExactFile file, string doing, Func<StormWorker, ExactFile, Task> use)
    {
        worker.Doing = $"{doing} file {file.Number}";
        await file.TakeAloneAsync();
        try
        {
            await use(worker, file);
        }
        finally
        {
            file.EndAlone();
        }
    }

    private static async Task PunchAsync(StormWorker worker, ExactFile file)
    {
        int page = worker.Random.Next(Pages - 8);
        int count = worker.Random.Next(1, 8);
        await file.Mapping.PunchAsync(page, count);
        file.Clear(page, page + count, worker.Number, "punched");
    }

    private static async Task FlushAsync(StormWorker worker, ExactFile file)
    {
        file.History.Note(worker.Number, "flush begun");
        try
        {
            await file.Mapping.FlushAsync();
            file.History.Note(worker.Number, "flush ended");
        }
        catch (MappingClosedException)
        {
            file.History.Note(worker.Number, "flush refused: reopened or replaced meanwhile");
        }
    }

    /// <summary>
    /// Writes much of a file while it is flushed, and so made longer if it has just been cut: that is when the device must not lose what
    /// is on its way (WB-8).
    /// </summary>
    private async Task FlushBesideWritesAsync(StormWorker worker, ExactFile file)
    {
        Task flush = FlushAsync(worker, file);
        UsePages(worker, file, "writes, while it is flushed,", Write, most: Pages);
        worker.Doing = $"flushes file {file.Number}, which it has written meanwhile";
        await flush;
    }

    private async Task CutAsync(StormWorker worker, ExactFile file)
    {
        int page = worker.Random.Next(Pages);
        long length = page * (long)cache.PageSize;
        if (worker.Random.Next(2) == 0)
        {
            // First within the page, which stays for a moment with a tail of zeros.
            await file.Mapping.TruncateAsync(length + worker.Random.Next(1, cache.PageSize));
        }

        await file.Mapping.TruncateAsync(length);
        file.History.Note(worker.Number, $"cut to {page} pages");
        await file.Mapping.ExtendAsync(Pages * (long)cache.PageSize);
        file.History.Note(worker.Number, "extended");
        file.Clear(page, Pages, worker.Number, "cut off, and back");
    }

    private async Task ReopenAsync(StormWorker worker, ExactFile file)
    {
        file.History.Note(worker.Number, "close begun");
        await file.Mapping.CloseAsync();
        file.Mapping = await cache.OpenAsync(file.Path);
        file.History.Note(worker.Number, "opened again");
        for (int page = 0; page < Pages; page++)
        {
            file.Histories[page].Note(worker.Number, "reopened", file.Values[page]);
        }
    }

    private async Task ReplaceAsync(StormWorker worker, ExactFile from, ExactFile to)
    {
        worker.Doing = $"replaces file {to.Number} by a clone of file {from.Number}";

        // In the order of their numbers, so that two who do it do not wait for each other.
        (ExactFile first, ExactFile second) = from.Number < to.Number ? (from, to) : (to, from);
        await first.TakeAloneAsync();
        await second.TakeAloneAsync();
        try
        {
            to.History.Note(worker.Number, "close begun");
            await to.Mapping.CloseAsync();
            File.Delete(to.Path);
            await CloneAsync(worker, from, to, mayCancel: true);
        }
        finally
        {
            second.EndAlone();
            first.EndAlone();
        }
    }

    private async Task CloneAsync(StormWorker worker, ExactFile from, ExactFile to, bool mayCancel)
    {
        from.History.Note(worker.Number, $"clone as file {to.Number} begun");
        while (true)
        {
            using CancellationTokenSource source = new();
            if (mayCancel && worker.Random.Next(3) == 0)
            {
                source.CancelAfter(TimeSpan.FromMilliseconds(worker.Random.Next(20)));
            }

            try
            {
                MappingClone clone = await from.Mapping.CloneAsync(to.Path, source.Token);
                Assert.True(clone.IsReflink, clone.WhyNot);
                to.Mapping = clone.Mapping;
                break;
            }
            catch (OperationCanceledException)
            {
                Assert.False(File.Exists(to.Path), "a clone that was cancelled has left a file");
            }
        }

        from.History.Note(worker.Number, $"cloned as file {to.Number}");
        to.History.Note(worker.Number, $"made as a clone of file {from.Number}");
        for (int page = 0; page < Pages; page++)
        {
            to.Values[page] = from.Values[page];
            to.Histories[page].Note(worker.Number, $"cloned from page {page} of file {from.Number}", to.Values[page]);
        }
    }
}
