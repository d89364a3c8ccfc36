using CsCheck;
using StorageCache.Sharing;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <remarks>SH-2.</remarks>
public sealed class PageSetTests
{
    /// <summary>Against a set, of which the pages above the bound are never.</summary>
    [Fact]
    public void It_agrees_with_a_set() =>
        Gen.Select(Gen.Int[0, 300], Gen.Select(Gen.Bool, Gen.Int[0, 330], Gen.Int[0, 330]).Array[0, 20]).Sample((bound, additions) =>
        {
            PageSet pages = new(bound);
            HashSet<long> model = [];
            foreach ((bool isRange, int first, int end) in additions)
            {
                if (isRange)
                {
                    pages.AddRange(first, end);
                    model.UnionWith(Enumerable.Range(first, Math.Max(0, end - first)).Select(page => (long)page).Where(page => page < bound));
                }
                else
                {
                    pages.Add(first);
                    if (first < bound)
                    {
                        model.Add(first);
                    }
                }
            }

            for (long page = 0; page <= 330; page++)
            {
                Assert.Equal(model.Contains(page), pages.Contains(page));
                foreach (long end in new[] { page, page + 1, page + 63, page + 64, page + 65, 340 })
                {
                    Assert.Equal(First(page, end, isIn: true), pages.NextIn(page, end));
                    Assert.Equal(First(page, end, isIn: false), pages.NextOut(page, end));
                }
            }

            long First(long page, long end, bool isIn)
            {
                while (page < end && model.Contains(page) != isIn)
                {
                    page++;
                }

                return page;
            }
        });

    [Fact]
    public void Nothing_is_lost_of_what_many_add_at_once()
    {
        PageSet pages = new(1000);
        Together.Run(4, thread =>
        {
            for (int page = thread; page < 1000; page += 4)
            {
                if (page % 8 == thread)
                {
                    pages.AddRange(page, page + 1);
                }
                else
                {
                    pages.Add(page);
                }
            }
        });
        Assert.Equal(1000, pages.NextOut(0, 1000));
    }
}
