using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>
/// Blocks are moved, given away, written and left while a file that has just been opened is found out about: before each answer to where
/// bytes lie, whatever the order.
/// </summary>
/// <remarks>SH-1, SH-2.</remarks>
public sealed class RelocationRaceTests : IAsyncDisposable
{
    /// <summary>The file that is opened, the hint of the other, and the two in turns: five answers, four gaps between them.</summary>
    private const int Gaps = 4;

    /// <summary>
    /// Moves by which two pages that never were in one place can have each of five answers say so: each has to leave its place and the
    /// other one to come, three times over.
    /// </summary>
    private const int MovesThatDeceive = 6;

    private readonly PageCache _cache = new(new PageCacheOptions { MemoryLimit = 4 << 20, WriteBackInterval = TimeSpan.FromHours(1), Guarded = true });

    public async ValueTask DisposeAsync() => await _cache.DisposeAsync();

    /// <summary>Up to two moves in each gap, every way there is, of two pages that are never in one place.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pages_that_pass_each_other_are_never_taken_for_one(bool isHinted)
    {
        // No move, a's, b's, both in either order, and twice each. With three blocks the place to go to is always given.
        string[] choices = ["", "a", "b", "ab", "ba", "aa", "bb"];
        int scenarios = 0;
        for (int number = 0; number < Math.Pow(choices.Length, Gaps); number++)
        {
            string[] gaps = new string[Gaps];
            for (int gap = 0, rest = number; gap < Gaps; gap++, rest /= choices.Length)
            {
                gaps[gap] = choices[rest % choices.Length];
            }

            if (gaps.Sum(moves => moves.Length) >= MovesThatDeceive)
            {
                continue;
            }

            scenarios++;
            RelocatingDisk disk = new();
            RelocatingFile[] files = [disk.Create("a", 1), disk.Create("b", 2)];
            (Mapping a, Mapping b) = (await OpenAsync(files[0]), await OpenAsync(files[1]));
            AssertHolds(a, 1);
            if (isHinted)
            {
                // What is known of the one is where the other is when he is asked.
                await JoinAsync(a);
                disk.Move(files[0], 0);
                disk.Move(files[1], 0);
            }

            int first = isHinted ? 1 : 0;
            disk.BeforeAnswer = (_, ask) =>
            {
                int gap = ask - first - 1;
                foreach (char mover in gap is >= 0 and < Gaps ? gaps[gap] : "")
                {
                    disk.Move(files[mover - 'a'], 0);
                }

                return Task.CompletedTask;
            };
            await JoinAsync(b);
            string what = string.Join(", ", gaps.Select(moves => $"'{moves}'"));
            Assert.True(FirstOf(b, 0) == 2, what);
            a.DontNeed(0, 1);
            Assert.True(FirstOf(a, 0) == 1, what);
            b.DontNeed(0, 1);
            Assert.True(FirstOf(b, 0) == 2, what);
            Assert.Equal(0, _cache.GetStatistics().SharedFrames);
            await a.CloseAsync();
            await b.CloseAsync();
        }

        Assert.Equal(993, scenarios);
        await Quiet.CheckAsync(_cache, "passed");
    }

    /// <summary>One of two that have a block in common is moved away: they hold the same all along, and share or do not.</summary>
    [Fact]
    public async Task Pages_that_were_moved_apart_may_share_if_they_were_together_once()
    {
        for (int gap = -1; gap <= Gaps; gap++)
        {
            foreach (int mover in new[] { 0, 1 })
            {
                RelocatingDisk disk = new();
                RelocatingFile file = disk.Create("a", 1, 2, 3);
                RelocatingFile[] files = [file, disk.Clone("b", (file, 2), (file, 1), (file, 0), (file, 1))];
                (Mapping a, Mapping b) = (await OpenAsync(files[0]), await OpenAsync(files[1]));
                AssertHolds(a, 1, 2, 3);
                disk.BeforeAnswer = (_, ask) =>
                {
                    if (ask == gap + 1)
                    {
                        disk.Move(files[mover], 1);
                    }

                    return Task.CompletedTask;
                };
                await JoinAsync(b);
                AssertHolds(b, 3, 2, 1, 2);

                // Moved before the last two answers, the pages are not found; before the first or after the last, nothing is amiss.
                Assert.InRange(_cache.GetStatistics().SharedFrames, 2, 3);
                AssertHolds(a, 1, 2, 3);
                await a.CloseAsync();
                await b.CloseAsync();
            }
        }

        await Quiet.CheckAsync(_cache, "apart");
    }

    public enum Deed
    {
        Dirty,
        Flush,
        FlushAndEvict,
        FlushAndReread,
        Evict,
        FlushAndMove,
    }

    /// <summary>Two deeds by either file at any two moments of the search: nobody ever sees what the other has written.</summary>
    [Fact]
    public async Task Pages_that_are_written_meanwhile_are_their_writers_own()
    {
        Deed[] deeds = Enum.GetValues<Deed>();
        int kinds = (Gaps + 2) * 2 * deeds.Length;
        for (int one = 0; one < kinds; one++)
        {
            for (int two = one; two < kinds; two++)
            {
                RelocatingDisk disk = new();
                RelocatingFile file = disk.Create("a", 1, 2, 3);
                RelocatingFile[] files = [file, disk.Clone("b", (file, 0), (file, 1), (file, 2))];
                Mapping[] mappings = [await OpenAsync(files[0]), await OpenAsync(files[1])];
                byte[][] models = [[1, 2, 3], [1, 2, 3]];
                AssertHolds(mappings[0], 1, 2, 3);
                byte next = 10;
                disk.BeforeAnswer = async (_, ask) => await HappenAsync(ask);
                await JoinAsync(mappings[1]);
                await HappenAsync(Gaps + 1);
                AssertAll($"{Name(one)}, {Name(two)}");
                foreach (int owner in new[] { 0, 1 })
                {
                    await mappings[owner].FlushAsync();
                    mappings[owner].DontNeed(0, 3);
                    AssertAll($"{Name(one)}, {Name(two)}, then {owner} evicted");
                }

                await mappings[0].CloseAsync();
                await mappings[1].CloseAsync();

                async Task HappenAsync(int moment)
                {
                    foreach (int kind in new[] { one, two })
                    {
                        if (kind / 2 / deeds.Length == moment)
                        {
                            int owner = kind / deeds.Length % 2;
                            await DoAsync(deeds[kind % deeds.Length], disk, files[owner], mappings[owner], models[owner], next++);
                        }
                    }
                }

                void AssertAll(string what)
                {
                    for (int owner = 0; owner < 2; owner++)
                    {
                        for (int page = 0; page < 3; page++)
                        {
                            Assert.True(FirstOf(mappings[owner], page) == models[owner][page], $"{what}: page {page} of {owner}");
                        }
                    }
                }
            }
        }

        await Quiet.CheckAsync(_cache, "written");

        string Name(int kind) => $"{deeds[kind % deeds.Length]} of {kind / deeds.Length % 2} at {kind / 2 / deeds.Length}";
    }

    /// <summary>Files by chance: clones of pieces, relocations, writes and flushes at every moment.</summary>
    [Fact]
    public async Task Searches_among_many_files_by_chance_are_right()
    {
        Random random = new(StressTime.Seed);
        for (int round = 0; round < 300; round++)
        {
            RelocatingDisk disk = new();
            List<RelocatingFile> files = [disk.Create("0", 1, 2, 3, 4)];
            List<byte[]> models = [[1, 2, 3, 4]];
            List<Mapping?> mappings = [null];
            byte next = 5;
            for (int file = 1; file < 5; file++)
            {
                (int File, int Page)[] pieces = [.. Enumerable.Range(0, 4).Select(_ => (random.Next(file), random.Next(4)))];
                files.Add(disk.Clone($"{file}", [.. pieces.Select(piece => (files[piece.File], piece.Page))]));
                models.Add([.. pieces.Select(piece => models[piece.File][piece.Page])]);
                mappings.Add(null);
            }

            // One thing between two answers: that cannot deceive.
            disk.BeforeAnswer = async (_, _) => await HappenAsync();
            for (int step = 0; step < 25; step++)
            {
                int file = random.Next(files.Count);
                if (mappings[file] is { } open)
                {
                    if (random.Next(3) == 0)
                    {
                        await open.CloseAsync();
                        mappings[file] = null;
                    }
                }
                else
                {
                    mappings[file] = await OpenAsync(files[file]);
                    await JoinAsync(mappings[file]!);
                }

                await HappenAsync();
                AssertAll();
            }

            await Quiet.CheckAsync(_cache, $"round {round}");
            foreach (Mapping? mapping in mappings)
            {
                await (mapping?.CloseAsync() ?? default);
            }

            async Task HappenAsync()
            {
                int file = random.Next(files.Count);
                int page = random.Next(4);
                switch (random.Next(8))
                {
                    case <= 2:
                        disk.Move(files[file], page);
                        break;
                    case 3 when mappings[file] is { } mapping:
                        Write(mapping, models[file], page, next++);
                        break;
                    case 4 when mappings[file] is { } mapping:
                        Write(mapping, models[file], page, next++);
                        await mapping.FlushAsync();
                        break;
                    case 5 when mappings[file] is { } mapping:
                        mapping.DontNeed(page, 2);
                        break;
                    case 6 when mappings[file] is { } mapping:
                        Assert.Equal(models[file][page], FirstOf(mapping, page));
                        break;
                }
            }

            void AssertAll()
            {
                for (int file = 0; file < files.Count; file++)
                {
                    if (mappings[file] is { } mapping)
                    {
                        for (int page = 0; page < 4; page++)
                        {
                            Assert.True(FirstOf(mapping, page) == models[file][page], $"round {round}, seed {StressTime.Seed}: page {page} of {file}");
                        }
                    }
                }
            }
        }
    }

    /// <summary>A file that does not say where it lies is open all the same, and shares nothing; nor does it keep others from sharing.</summary>
    [Fact]
    public async Task An_answer_that_fails_leaves_the_files_as_they_were()
    {
        Exception[] faults = [new BlockIOException("made to fail", 5), new InvalidOperationException("made to fail"), new OperationCanceledException()];
        foreach (Exception fault in faults)
        {
            for (int failing = 0; failing <= Gaps; failing++)
            {
                RelocatingDisk disk = new();
                RelocatingFile file = disk.Create("a", 1, 2, 3);
                RelocatingFile[] files = [file, disk.Clone("b", (file, 0), (file, 1), (file, 2)), disk.Clone("c", (file, 0), (file, 1), (file, 2))];
                int answers = 0;
                Array.ForEach(files, each => each.Fault = () => answers++ == failing ? fault : null);
                (Mapping a, Mapping b) = (await OpenAsync(files[0]), await OpenAsync(files[1]));
                AssertHolds(a, 1, 2, 3);
                await JoinAsync(b);
                AssertHolds(b, 1, 2, 3);
                Assert.Equal(0, _cache.GetStatistics().SharedFrames);
                Write(b, new byte[3], 1, 9);
                await b.FlushAsync();
                Mapping c = await OpenAsync(files[2]);
                await JoinAsync(c);
                AssertHolds(c, 1, 2, 3);
                Assert.Equal(3, _cache.GetStatistics().SharedFrames);
                AssertHolds(b, 1, 9, 3);
                foreach (Mapping mapping in new[] { a, b, c })
                {
                    await mapping.CloseAsync();
                }
            }
        }

        await Quiet.CheckAsync(_cache, "failed");
    }

    /// <summary>One file that fails does not keep a new one from those it has blocks in common with.</summary>
    [Fact]
    public async Task A_file_that_cannot_be_asked_is_passed_over()
    {
        RelocatingDisk disk = new();
        RelocatingFile file = disk.Create("a", 1, 2, 3);
        RelocatingFile broken = disk.Create("broken", 7);
        RelocatingFile clone = disk.Clone("b", (file, 0), (file, 1), (file, 2));
        broken.Fault = () => new BlockIOException("made to fail", 5);
        List<Mapping> mappings = [await OpenAsync(broken), await OpenAsync(file), await OpenAsync(clone)];
        AssertHolds(mappings[1], 1, 2, 3);
        await JoinAsync(mappings[2]);
        AssertHolds(mappings[2], 1, 2, 3);
        Assert.Equal(3, _cache.GetStatistics().SharedFrames);
    }

    /// <summary>A file that is closed, cut or punched while it is asked: that waits for the search or comes before it.</summary>
    [Fact]
    public async Task A_file_that_is_closed_meanwhile_leaves_nothing_behind()
    {
        for (int moment = 0; moment <= Gaps; moment++)
        {
            foreach (int closing in new[] { 0, 1 })
            {
                RelocatingDisk disk = new();
                RelocatingFile file = disk.Create("a", 1, 2, 3);
                RelocatingFile clone = disk.Clone("b", (file, 0), (file, 1), (file, 2));
                Mapping[] mappings = [await OpenAsync(file), await OpenAsync(clone)];
                AssertHolds(mappings[0], 1, 2, 3);
                Task? closed = null;
                disk.BeforeAnswer = (_, ask) =>
                {
                    closed ??= ask == moment ? mappings[closing].CloseAsync().AsTask() : null;
                    return Task.CompletedTask;
                };
                await JoinAsync(mappings[1]).InTime();
                await closed!.InTime();
                Mapping left = mappings[1 - closing];
                AssertHolds(left, 1, 2, 3);
                Mapping again = await OpenAsync(closing == 0 ? file : clone);
                await JoinAsync(again);
                AssertHolds(again, 1, 2, 3);
                Assert.Equal(3, _cache.GetStatistics().SharedFrames);
                await left.CloseAsync();
                await again.CloseAsync();
            }
        }

        await Quiet.CheckAsync(_cache, "closed");
    }

    private static async Task DoAsync(Deed deed, RelocatingDisk disk, RelocatingFile file, Mapping mapping, byte[] model, byte value)
    {
        const int Page = 1;
        if (deed != Deed.Evict)
        {
            Write(mapping, model, Page, value);
        }

        if (deed is not (Deed.Dirty or Deed.Evict))
        {
            await mapping.FlushAsync();
        }

        if (deed == Deed.FlushAndMove)
        {
            disk.Move(file, Page);
        }

        if (deed is Deed.Evict or Deed.FlushAndEvict or Deed.FlushAndReread)
        {
            mapping.DontNeed(Page, 1);
        }

        if (deed == Deed.FlushAndReread)
        {
            Assert.Equal(value, FirstOf(mapping, Page));
        }
    }

    private async Task<Mapping> OpenAsync(RelocatingFile file) =>
        await _cache.OpenAsync(file, new MappingOptions { AccessPattern = AccessPattern.Random });

    /// <summary>What opening a file by its path does.</summary>
    private Task JoinAsync(Mapping mapping) =>
        _cache.Core.OwnThread.Run(() => _cache.Core.Extents.JoinAsync(mapping, likely: null, CancellationToken.None));

    private static void Write(Mapping mapping, byte[] model, int page, byte value)
    {
        using PageWriteLease lease = mapping.Write(page);
        lease.Span.Fill(value);
        lease.MarkDirty();
        model[page] = value;
    }

    private static void AssertHolds(Mapping mapping, params byte[] pages)
    {
        for (int page = 0; page < pages.Length; page++)
        {
            Assert.Equal(pages[page], FirstOf(mapping, page));
        }
    }

    private static byte FirstOf(Mapping mapping, long page)
    {
        using PageReadLease lease = mapping.Read(page);
        Assert.Equal(-1, lease.Span.IndexOfAnyExcept(lease.Span[0]));
        return lease.Span[0];
    }
}
