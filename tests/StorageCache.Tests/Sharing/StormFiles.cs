using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>Some files that are made of each other, and an array of bytes for each of them that says what it has to hold.</summary>
/// <param name="scratch">Where they lie.</param>
/// <param name="whileClosed">What is done to a file, by its path, that nobody has open.</param>
internal sealed class StormFiles(SharingScratch scratch, Action<string> whileClosed)
{
    public const int Count = 6;
    public const int Pages = 96;

    private readonly StormFile[] _files = [.. Enumerable.Range(0, Count).Select(_ => new StormFile())];

    public async Task CreateAsync()
    {
        for (int file = 0; file < Count; file++)
        {
            _files[file].Model = scratch.Create(NameOf(file), Pages * SharingScratch.PageSize, file % 2);
            if (file >= 2)
            {
                File.Delete(scratch.PathOf(NameOf(file)));
                scratch.Reflink(NameOf(file % 2), NameOf(file));
            }

            _files[file].Mapping = await scratch.OpenAsync(NameOf(file));
        }
    }

    /// <summary>Does this and that with files by chance, and compares whatever is read.</summary>
    public async Task WorkAsync(Random random, int steps)
    {
        for (int step = 0; step < steps; step++)
        {
            int number = random.Next(Count);
            StormFile file = _files[number];
            switch (random.Next(100))
            {
                case < 55:
                    await file.Gate.WaitAsync();
                    try
                    {
                        int first = random.Next(Pages);
                        for (int page = first; page < Math.Min(first + 16, Pages); page++)
                        {
                            Compare(number, page);
                        }
                    }
                    finally
                    {
                        file.Gate.Release();
                    }

                    break;
                case < 75:
                    await file.Gate.WaitAsync();
                    try
                    {
                        int page = random.Next(Pages);
                        for (int more = random.Next(4); more >= 0; more--)
                        {
                            SharingScratch.Write(file.Mapping!, file.Model, (page + more) % Pages, random.Next());
                        }
                    }
                    finally
                    {
                        file.Gate.Release();
                    }

                    break;
                case < 83:
                    // Without the gate: a flush may run beside anything.
                    await IfOpenAsync(file, static mapping => mapping.FlushAsync());
                    break;
                case < 91:
                    await IfOpenAsync(file, mapping =>
                    {
                        mapping.DontNeed(random.Next(Pages), random.Next(Pages));
                        return default;
                    });
                    break;
                case < 93:
                    await PunchAsync(file, random.Next(Pages - 8));
                    break;
                case < 96:
                    await ReopenAsync(number);
                    break;
                default:
                    await CloneOverAsync(number, (number + random.Next(1, Count)) % Count);
                    break;
            }
        }
    }

    /// <summary>Demands that all files read as they ought to, from memory and from the device.</summary>
    public async Task AssertAllAsync()
    {
        for (int file = 0; file < Count; file++)
        {
            for (int page = 0; page < Pages; page++)
            {
                Compare(file, page);
            }

            await _files[file].Mapping!.FlushAsync();
            SharingScratch.Evict(_files[file].Mapping!);
            for (int page = 0; page < Pages; page++)
            {
                Compare(file, page);
            }
        }
    }

    private static string NameOf(int file) => $"file{file}";

    private static async Task IfOpenAsync(StormFile file, Func<Mapping, ValueTask> act)
    {
        try
        {
            await act(file.Mapping!);
        }
        catch (MappingClosedException)
        {
            // Reopened or replaced by another worker.
        }
    }

    private static async Task PunchAsync(StormFile file, int page)
    {
        await file.Gate.WaitAsync();
        try
        {
            await file.Mapping!.PunchAsync(page, 8);
            file.Model.AsSpan(page * SharingScratch.PageSize, 8 * SharingScratch.PageSize).Clear();
        }
        finally
        {
            file.Gate.Release();
        }
    }

    private async Task ReopenAsync(int number)
    {
        StormFile file = _files[number];
        await file.Gate.WaitAsync();
        try
        {
            await file.Mapping!.CloseAsync();
            whileClosed(scratch.PathOf(NameOf(number)));
            file.Mapping = await scratch.OpenAsync(NameOf(number));
        }
        finally
        {
            file.Gate.Release();
        }
    }

    /// <summary>Replaces a file by a clone of another, while that is in use.</summary>
    private async Task CloneOverAsync(int from, int to)
    {
        // In the order of their numbers, so that two who do it do not wait for each other.
        await _files[Math.Min(from, to)].Gate.WaitAsync();
        await _files[Math.Max(from, to)].Gate.WaitAsync();
        try
        {
            await _files[to].Mapping!.CloseAsync();
            File.Delete(scratch.PathOf(NameOf(to)));
            MappingClone clone = await _files[from].Mapping!.CloneAsync(scratch.PathOf(NameOf(to)));
            Assert.True(clone.IsReflink, clone.WhyNot);
            _files[to].Mapping = clone.Mapping;
            _files[to].Model = [.. _files[from].Model];
        }
        finally
        {
            _files[from].Gate.Release();
            _files[to].Gate.Release();
        }
    }

    private void Compare(int file, int page)
    {
        using PageReadLease lease = _files[file].Mapping!.Read(page);
        if (!lease.Span.SequenceEqual(_files[file].Model.AsSpan(page * SharingScratch.PageSize, SharingScratch.PageSize)))
        {
            Assert.Fail($"page {page} of {NameOf(file)} has wrong bytes (seed {StressTime.Seed})");
        }
    }

    private sealed class StormFile
    {
        /// <summary>Orders those who change what the file holds, and who compare.</summary>
        public SemaphoreSlim Gate { get; } = new(1);

        public byte[] Model { get; set; } = [];

        public Mapping? Mapping { get; set; }
    }
}
