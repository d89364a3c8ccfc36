using CsCheck;
using StorageCache.IO;
using StorageCache.Sharing;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>Runs, maps of them, and what two files have in common, each against pages one by one.</summary>
/// <remarks>SH-1, SH-2.</remarks>
public sealed class ExtentMapTests
{
    private const int Pages = 200;

    private static readonly ExtentIdentity[] s_identities = [.. Enumerable.Range(1, 3).Select(number => new ExtentIdentity((ulong)number, null!, 0))];

    private static readonly Gen<ExtentRun[]> s_runs = Gen.Select(Gen.Int[0, 20], Gen.Int[1, 30], Gen.Int[0, 2], Gen.Int[0, 50]).Array[0, 8].Select(pieces =>
    {
        List<ExtentRun> runs = [];
        long next = 0;
        foreach ((int gap, int count, int identity, int offset) in pieces)
        {
            runs.Add(new ExtentRun(next + gap, count, s_identities[identity], offset));
            next = runs[^1].EndPage;
        }

        return runs.ToArray();
    });

    [Fact]
    public void Pages_that_have_left_a_map_are_in_no_run_of_it() =>
        Gen.Select(s_runs, Gen.Int[0, Pages].Array[0, 12], Gen.Select(Gen.Int[0, Pages], Gen.Int[0, 70]).Array[0, 2], Gen.Int[0, 3 * Pages]).Sample((runs, left, ranges, cut) =>
        {
            ExtentMap map = new(runs, new PageSet(Pages), 0);
            var model = PagesOf(runs);
            foreach (int page in left)
            {
                map.Leave(page);
                model.Remove(Math.Min(page, page < Pages ? page : -1));
            }

            foreach ((int first, int count) in ranges)
            {
                map.LeaveRange(first, first + count);
                Enumerable.Range(first, count).Where(page => page < Pages).ToList().ForEach(page => model.Remove(page));
            }

            map.Cut(cut);
            map.Cut(cut + 5);
            model = model.Where(page => page.Key < cut).ToDictionary();
            Assert.Equal(model, PagesOf([.. map.LiveRuns()]));
            for (long page = 0; page < 400; page++)
            {
                bool isFound = map.TryFind(page, out ExtentIdentity identity, out long offset);
                Assert.Equal(model.TryGetValue(page, out (ExtentIdentity, long) expected), isFound);
                Assert.True(!isFound || expected == (identity, offset));
                Assert.Equal(isFound, map.Has(page, identity, offset));
                Assert.False(map.Has(page, identity, offset + 1));
            }
        });

    [Fact]
    public void A_list_of_runs_has_what_was_added_and_gaps_between() =>
        Gen.Select(s_runs, Gen.Int[0, 250], Gen.Int[0, 100], Gen.Int[0, int.MaxValue]).Sample((runs, first, count, seed) =>
        {
            ExtentRun[] shuffled = [.. runs];
            new Random(seed).Shuffle(shuffled);
            RunList list = new([]);
            Array.ForEach(shuffled, list.Add);
            var model = PagesOf(runs);
            Assert.Equal(runs, list);
            Assert.Equal(runs.Length, list.Count);
            Assert.Equal(model.Count, list.Pages);
            long end = first + count;
            Assert.Equal(model.Where(page => page.Key >= first && page.Key < end).ToDictionary(), PagesOf([.. list.Within(first, end)]));
            HashSet<long> gaps = [.. list.Gaps(first, end).SelectMany(gap => Range(gap.First, gap.End))];
            Assert.Equal(Range(first, end).Where(page => !model.ContainsKey(page)).ToHashSet(), gaps);
        });

    /// <summary>Extents in sectors of 512 bytes, so that many lie askew, with blocks that a file has more than once.</summary>
    [Fact]
    public void Two_files_have_in_common_the_whole_pages_that_lie_in_one_place() =>
        Gen.Select(Extents(), Extents(), Gen.Int[9, 12]).Sample((first, second, pageShift) =>
        {
            HashSet<(long, long)> expected = [];
            var places = Places(second, pageShift).ToLookup(place => place.Physical, place => place.Page);
            foreach ((long page, long physical) in Places(first, pageShift))
            {
                expected.UnionWith(places[physical].Select(other => (page, other)));
            }

            List<CommonPages> common = CommonPages.Of(first, second, pageShift);
            Assert.Equal(expected, common.SelectMany(pages => Enumerable.Range(0, (int)pages.Count).Select(i => (pages.First + i, pages.Second + i))).ToHashSet());
            foreach (CommonPages pages in common)
            {
                CommonPages before = pages.Before(pages.First + 1, pages.Second + 3);
                Assert.Equal(Math.Min(1, pages.Count), before.Count);
                Assert.Equal(0, pages.Before(pages.First - 1, long.MaxValue).Count);
            }
        });

    private static Gen<Extent[]> Extents() => Gen.Select(Gen.Int[0, 5], Gen.Int[0, 60], Gen.Int[1, 40], Gen.Int[0, 3]).Array[0, 6].Select(pieces =>
    {
        List<Extent> extents = [];
        long next = 0;
        foreach ((int gap, int physical, int count, int askew) in pieces)
        {
            long logical = next + (askew == 0 ? gap : (gap + 7) / 8 * 8);
            extents.Add(new Extent(logical * 512, (askew == 0 ? physical : physical / 8 * 8) * 512L, count * 512L, IsPlain: true, IsShared: true));
            next = logical + count;
        }

        return extents.ToArray();
    });

    /// <summary>The pages of a file that lie within one extent each, and where.</summary>
    private static IEnumerable<(long Page, long Physical)> Places(Extent[] extents, int pageShift)
    {
        long pageSize = 1L << pageShift;
        foreach (Extent extent in extents)
        {
            for (long page = (extent.Logical + pageSize - 1) >> pageShift; (page + 1) << pageShift <= extent.Logical + extent.Length; page++)
            {
                yield return (page, extent.Physical + (page << pageShift) - extent.Logical);
            }
        }
    }

    private static IEnumerable<long> Range(long first, long end)
    {
        for (long page = first; page < end; page++)
        {
            yield return page;
        }
    }

    private static Dictionary<long, (ExtentIdentity, long)> PagesOf(ExtentRun[] runs)
    {
        Dictionary<long, (ExtentIdentity, long)> pages = [];
        foreach (ExtentRun run in runs)
        {
            for (long page = run.FirstPage; page < run.EndPage; page++)
            {
                pages.Add(page, (run.Identity, run.Offset + page - run.FirstPage));
            }
        }

        return pages;
    }
}
