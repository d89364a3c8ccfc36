using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO;
using Xunit;
using static StorageCache.Tests.Sharing.SharingScratch;

namespace StorageCache.Tests.Sharing;

/// <summary>What happens to one file leaves those alone that have blocks and frames in common with it.</summary>
/// <remarks>P-3, P-5, SH-2.</remarks>
public sealed class OwnerLifeTests
{
    private const int Pages = 128;

    public enum Fate
    {
        Cut,
        CutWithinAPage,
        CutAndExtended,
        CutExtendedAndWritten,
        Punched,
        PunchedAndWritten,
        PunchedWhileEvicted,
        Deleted,
        Closed,
        Reopened,
        WrittenAndReopened,
    }

    public static IEnumerable<TheoryDataRow<string, Fate>> Fates =>
        from type in new[] { FileSystem.Xfs, FileSystem.Btrfs }
        from fate in Enum.GetValues<Fate>()
        select new TheoryDataRow<string, Fate>(type, fate);

    [Theory]
    [MemberData(nameof(Fates))]
    public async Task The_others_keep_their_bytes(string type, Fate fate)
    {
        foreach (bool isSource in new[] { true, false })
        {
            await using SharingScratch scratch = new(type);
            byte[] bytes = scratch.Create("a", Pages * PageSize);
            scratch.Reflink("a", "b");
            scratch.Reflink("a", "c");
            Mapping[] mappings = [await scratch.OpenAsync("a"), await scratch.OpenAsync("b"), await scratch.OpenAsync("c")];
            foreach (Mapping mapping in mappings)
            {
                AssertHolds(mapping, bytes);
            }

            int victim = isSource ? 0 : 1;
            (Mapping? changed, byte[] model) = await HappenAsync(scratch, mappings[victim], fate, bytes);
            Mapping[] others = [.. mappings.Where((_, i) => i != victim)];
            AssertAll();
            await FillAsync(scratch);
            if (changed is not null)
            {
                await changed.FlushAsync();
            }

            AssertAll();
            foreach (Mapping other in others)
            {
                Evict(other);
            }

            AssertAll();
            if (changed is not null)
            {
                Evict(changed);
                AssertAll();

                // A clone of what it has become, open beside the others.
                MappingClone clone = await changed.CloneAsync(scratch.PathOf("d"));
                AssertHolds(clone.Mapping, model);
                AssertAll();
                foreach (Mapping mapping in (Mapping[])[clone.Mapping, changed, .. others])
                {
                    Evict(mapping);
                }

                AssertHolds(clone.Mapping, model);
                AssertAll();
            }

            await scratch.CheckAsync($"{fate}");

            void AssertAll()
            {
                Array.ForEach(others, other => AssertHolds(other, bytes));
                if (changed is not null)
                {
                    AssertHolds(changed, model);
                }
            }
        }
    }

    /// <summary>Blocks that were given up come to hold a third file's bytes; nobody takes the one for the other.</summary>
    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Blocks_that_hold_something_else_now_are_not_taken_for_what_they_held(string type)
    {
        await using SharingScratch scratch = new(type);
        byte[] a = scratch.Create("a", Pages * PageSize);
        byte[] b = [.. a];
        Mapping first = await scratch.OpenAsync("a");
        AssertHolds(first, a);
        scratch.Reflink("a", "b");
        Mapping second = await scratch.OpenAsync("b");
        AssertHolds(second, b);
        (long Physical, bool)?[] before = await PlacesOf(first);

        scratch.LeaveFree(8 << 20);

        // All of it: btrfs keeps an extent for as long as anybody has a part.
        await first.PunchAsync(0, Pages);
        await second.PunchAsync(0, Pages);
        a.AsSpan().Clear();
        b.AsSpan().Clear();
        await first.FlushAsync();
        await second.FlushAsync();
        scratch.Run("sync", "--file-system", scratch.PathOf("a"));

        // New files until one lies there. They have clones, and are open.
        HashSet<long> given = [.. before.Select(place => place!.Value.Physical)];
        int reused = 0;
        for (int file = 0; file < 40 && reused == 0 && scratch.TryCreate($"new{file}", 64 * PageSize, 100 + file) is { } content; file++)
        {
            if (!scratch.TryReflink($"new{file}", $"clone{file}"))
            {
                break;
            }

            Mapping clone = await scratch.OpenAsync($"clone{file}");
            Mapping source = await scratch.OpenAsync($"new{file}");
            AssertHolds(clone, content);
            AssertHolds(source, content);
            reused += (await PlacesOf(source)).Count(place => place is { } at && given.Contains(at.Physical));
            AssertHolds(first, a);
            AssertHolds(second, b);
        }

        Assert.True(reused > 0, "no block was used again");
        Evict(first);
        Evict(second);
        AssertHolds(first, a);
        AssertHolds(second, b);
        await scratch.CheckAsync("reused");
    }

    private static async Task<(Mapping? Mapping, byte[] Model)> HappenAsync(SharingScratch scratch, Mapping mapping, Fate fate, byte[] bytes)
    {
        const int Half = Pages / 2;
        byte[] model = [.. bytes];
        string name = Path.GetFileName(mapping.Path);
        switch (fate)
        {
            case Fate.Cut:
                await mapping.TruncateAsync(Half * PageSize);
                return (mapping, model[..(Half * PageSize)]);
            case Fate.CutWithinAPage:
                await mapping.TruncateAsync((Half * PageSize) + 99);
                return (mapping, model[..((Half * PageSize) + 99)]);
            case Fate.CutAndExtended:
            case Fate.CutExtendedAndWritten:
                await mapping.TruncateAsync((Half * PageSize) + 99);
                await mapping.ExtendAsync(Pages * PageSize);
                model.AsSpan((Half * PageSize) + 99).Clear();
                if (fate == Fate.CutExtendedAndWritten)
                {
                    Write(mapping, model, Half, 1);
                    Write(mapping, model, Half + 9, 2);
                    Write(mapping, model, Half - 9, 3);
                }

                return (mapping, model);
            case Fate.Punched:
            case Fate.PunchedAndWritten:
            case Fate.PunchedWhileEvicted:
                if (fate == Fate.PunchedWhileEvicted)
                {
                    Evict(mapping);
                }

                await mapping.PunchAsync(10, 30);
                model.AsSpan(10 * PageSize, 30 * PageSize).Clear();
                if (fate == Fate.PunchedAndWritten)
                {
                    Write(mapping, model, 12, 1);
                    Write(mapping, model, 9, 2);
                }

                return (mapping, model);
            case Fate.Deleted:
                File.Delete(mapping.Path);
                Write(mapping, model, 5, 5);
                await mapping.FlushAsync();
                AssertHolds(mapping, model);
                await mapping.CloseAsync();
                return (null, model);
            case Fate.Closed:
                await mapping.CloseAsync();
                return (null, model);
            default:
                if (fate == Fate.WrittenAndReopened)
                {
                    Write(mapping, model, 5, 5);
                }

                await mapping.CloseAsync();
                return (await scratch.OpenAsync(name), model);
        }
    }

    /// <summary>Gives blocks that have become free other bytes.</summary>
    private static async Task FillAsync(SharingScratch scratch)
    {
        byte[] content = scratch.Create("filler", 4 * Pages * PageSize, 99);
        Mapping filler = await scratch.OpenAsync("filler");
        AssertHolds(filler, content);
        await filler.CloseAsync();
    }

    private static Task<(long Physical, bool IsShared)?[]> PlacesOf(Mapping mapping) =>
        ExtentScratch.PlacesOf((StorageCache.IO.FileBlockDevice)mapping.Device);
}
