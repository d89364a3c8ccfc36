using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Mappings;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>The page table alone: sparse ranges of 16 TiB, many threads, and so little memory that leaves come and go.</summary>
public sealed unsafe class PageTableStressTests
{
    private const long PagesOf16TiB = 1L << 32;
    private const int Tables = 3;

    [Fact]
    public void Leaves_and_nodes_come_and_go_under_look_ups_without_a_page_ever_being_mistaken_for_another()
    {
        DateTime end = DateTime.UtcNow + StressTime.Of(5);
        for (int round = 0; DateTime.UtcNow < end; round++)
        {
            using var rig = new Rig(budgetLeaves: 24, seed: StressTime.Seed + round);
            rig.Run(TimeSpan.FromSeconds(1.5));
        }
    }

    [Fact]
    public void A_page_that_is_held_stays_where_it_is_while_the_root_grows_above_it()
    {
        DateTime end = DateTime.UtcNow + StressTime.Of(1);
        while (DateTime.UtcNow < end)
        {
            var budget = new MemoryBudget(1 << 20);
            var memory = new PageTableMemory(budget, 1 << 20, hugePages: false);
            var table = new PageTable(memory, 1);
            Slot* held = table.Enter(3, create: true, out _);
            table.SetDirty(held, 3);
            long stop = 0;
            var watcher = new Thread(() =>
            {
                while (Volatile.Read(ref stop) == 0)
                {
                    Require(table.Find(3) == held, "the held page has moved");
                    LeafHeader* dirty = table.EnterNextDirtyLeaf(0);
                    Require(dirty != null && PageTable.NextDirty(dirty, 0) == 3, "the dirty tag is not found");
                    memory.Leave(dirty);
                }
            });
            watcher.Start();
            for (long page = 512; page <= PagesOf16TiB; page <<= 3)
            {
                Slot* slot = table.Enter(page, create: true, out _);
                Assert.True(slot != null);
                memory.Leave(memory.HeaderOf(slot));
            }

            Volatile.Write(ref stop, 1);
            watcher.Join();
            table.ClearDirty(held, 3);
            memory.Leave(memory.HeaderOf(held));
            table.Clear();
            Assert.Equal(0, budget.Used);
        }
    }

    [Fact]
    public void A_look_up_that_sleeps_while_a_node_comes_back_at_another_level_does_not_fault()
    {
        // Entry 510 of every node: taken for an entry, what lies at that place in a leaf is the state word of slot 255.
        const long Deep = ((((510L << 9) + 510 << 9) + 510) << 9) + 510;
        var budget = new MemoryBudget(1 << 20);
        var memory = new PageTableMemory(budget, 1 << 20, hugePages: false);
        PageTable[] tables = [new PageTable(memory, 1), new PageTable(memory, 2)];
        long stop = 0;
        Thread[] watchers = [.. Enumerable.Range(0, 4).Select(i => new Thread(() =>
        {
            while (Volatile.Read(ref stop) == 0)
            {
                Slot* slot = tables[i & 1].Find(Deep);
                Require(slot == null || (StateWord.Load(slot) & 0xFFFF_FFFF) == 0, "a look-up ended outside the slots");
            }
        }))];
        Array.ForEach(watchers, thread => thread.Start());

        // Trees of different heights, taken down to the root each time: what was the top of one is the bottom of the next.
        DateTime end = DateTime.UtcNow + StressTime.Of(2);
        for (int i = 0; DateTime.UtcNow < end; i++)
        {
            PageTable table = tables[i & 1];
            foreach (long page in (ReadOnlySpan<long>)[Deep, Deep & ((1L << 18) - 1), Deep & ((1L << 27) - 1)])
            {
                Slot* slot = table.Enter(page, create: true, out _);
                memory.Leave(memory.HeaderOf(slot));
                if (i % 3 != 0)
                {
                    table.Clear();
                }
            }

            table.Clear();
        }

        Volatile.Write(ref stop, 1);
        Array.ForEach(watchers, thread => thread.Join());
        Assert.Equal(0, budget.Used);
    }

    private static void Require(bool condition, string what)
    {
        if (!condition)
        {
            Environment.FailFast($"Page table: {what} (seed {StressTime.Seed}).");
        }
    }

    /// <summary>Tables that share a budget, threads that use them, and what the pages they hold must look like.</summary>
    private sealed class Rig : IDisposable
    {
        private readonly MemoryBudget _budget;
        private readonly PageTableMemory _memory;
        private readonly PageTable[] _tables = new PageTable[Tables + 1];
        private readonly long[] _pages = new long[96];
        private readonly int _seed;
        private long _end;

        public Rig(int budgetLeaves, int seed)
        {
            _seed = seed;
            _budget = new MemoryBudget(budgetLeaves * (long)(PageTableMemory.LeafBytes + (2 * PageTableMemory.NodeBytes)));
            _memory = new PageTableMemory(_budget, _budget.Limit, hugePages: false);
            for (int i = 1; i <= Tables; i++)
            {
                _tables[i] = new PageTable(_memory, i);
            }

            // Pages at every height of the tree, with neighbours that share leaves and nodes.
            var random = new Random(seed);
            for (int i = 0; i < _pages.Length; i++)
            {
                long reach = 1L << (9 * random.Next(1, 5));
                _pages[i] = i % 4 == 3 ? _pages[i - 1] ^ random.Next(1024) : random.NextInt64(Math.Min(reach, PagesOf16TiB));
            }
        }

        public void Run(TimeSpan time)
        {
            _end = Environment.TickCount64 + (long)time.TotalMilliseconds;
            Thread[] threads = [.. Enumerable.Range(0, 5).Select(i => new Thread(() => Work(i)))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
        }

        public void Dispose()
        {
            int users = 0;
            for (int i = 1; i <= Tables; i++)
            {
                for (LeafHeader* leaf = _tables[i].EnterNextLeaf(0); leaf != null; leaf = _tables[i].EnterNextLeaf(leaf->FirstPage + PageTable.SlotsPerLeaf))
                {
                    users += leaf->Users - 1;
                    Require(leaf->Mapping == i, "a leaf hangs in another table");
                    Require(leaf->Queued != 0, "a leaf that nobody uses does not stand in the queue");
                    _memory.Leave(leaf);
                }

                _tables[i].Clear();
            }

            Assert.Equal(0, users);
            Assert.Equal(0, _memory.Leaves);
            Assert.Equal(0, _memory.Nodes);
            Assert.Equal(0, _budget.Used);
        }

        private void Work(int thread)
        {
            var random = new Random((_seed * 31) + thread);
            var held = new List<(PageTable Table, int Number, long Page, nint Slot)>();
            while (Environment.TickCount64 < _end)
            {
                for (int i = 0; i < 200; i++)
                {
                    Step(random, held);
                }
            }

            held.ForEach(Release);
        }

        private void Step(Random random, List<(PageTable Table, int Number, long Page, nint Slot)> held)
        {
            int number = random.Next(1, Tables + 1);
            PageTable table = _tables[number];
            long page = _pages[random.Next(_pages.Length)];
            switch (random.Next(10))
            {
                case 0 when held.Count < 3:
                    Hold(table, number, page, held);
                    break;
                case 1 when held.Count > 0:
                    int index = random.Next(held.Count);
                    Release(held[index]);
                    held.RemoveAt(index);
                    break;
                case 2 when held.Count > 0:
                    FindDirty(held[random.Next(held.Count)]);
                    break;
                case 3:
                    Reclaim();
                    break;
                case 4:
                    Visit(table, number, page, create: true);
                    break;
                case 5:
                    Walk(table, number, page);
                    break;
                case 6:
                    Visit(table, number, page, create: false);
                    break;
                default:
                    Peek(table, page);
                    foreach ((PageTable owner, _, long mine, nint slot) in held)
                    {
                        Require(owner.Find(mine) == (Slot*)slot, $"page {mine} is held and is not found where it is");
                    }

                    break;
            }
        }

        private void Hold(PageTable table, int number, long page, List<(PageTable Table, int Number, long Page, nint Slot)> held)
        {
            // A page that two threads hold would have its tag taken off by the first that lets go.
            if (held.Exists(other => other.Number == number && other.Page == page))
            {
                return;
            }

            Slot* slot = table.Enter(page, create: true, out bool outOfMemory);
            if (slot == null)
            {
                Require(outOfMemory, "no leaf although there was memory");
                Reclaim();
                return;
            }

            Check(number, page, slot);

            // The slot's state serves as the thread's claim; the page table knows nothing of it.
            if (Interlocked.CompareExchange(ref slot->Head, 1, 0) != 0)
            {
                _memory.Leave(_memory.HeaderOf(slot));
                return;
            }

            table.SetDirty(slot, page);
            held.Add((table, number, page, (nint)slot));
        }

        private void Release((PageTable Table, int Number, long Page, nint Slot) hold)
        {
            var slot = (Slot*)hold.Slot;
            FindDirty(hold);
            hold.Table.ClearDirty(slot, hold.Page);
            Volatile.Write(ref slot->Head, 0);
            _memory.Leave(_memory.HeaderOf(slot));
        }

        private void FindDirty((PageTable Table, int Number, long Page, nint Slot) hold)
        {
            LeafHeader* leaf = hold.Table.EnterNextDirtyLeaf(hold.Page);
            Require(leaf != null, $"the tag of page {hold.Page} is lost");
            Require(leaf == _memory.HeaderOf((Slot*)hold.Slot), $"the leaf of dirty page {hold.Page} is passed over");
            Require(PageTable.NextDirty(leaf, hold.Page) == hold.Page, $"page {hold.Page} has lost its tag in the leaf");
            _memory.Leave(leaf);
        }

        private void Visit(PageTable table, int number, long page, bool create)
        {
            Slot* slot = table.Enter(page, create, out bool outOfMemory);
            if (slot == null)
            {
                if (outOfMemory)
                {
                    Reclaim();
                }

                return;
            }

            Check(number, page, slot);
            Require(table.Find(page) == slot, $"page {page} is entered and is not found where it is");
            _memory.Leave(_memory.HeaderOf(slot));
        }

        private void Walk(PageTable table, int number, long from)
        {
            long next = from;
            for (int i = 0; i < 8; i++)
            {
                LeafHeader* leaf = table.EnterNextLeaf(next);
                if (leaf == null)
                {
                    return;
                }

                Require(leaf->Mapping == number, "a walk came to another table's leaf");
                Require(leaf->FirstPage + PageTable.SlotsPerLeaf > next, "a walk went back");
                next = leaf->FirstPage + PageTable.SlotsPerLeaf;
                _memory.Leave(leaf);
            }
        }

        private static void Peek(PageTable table, long page)
        {
            Slot* slot = table.Find(page);
            if (slot != null)
            {
                // Whoever's it is by now, looking at it does not fault, and no page is up to date here.
                Require((uint)StateWord.Load(slot) == 0, "a look-up ended outside the slots");
            }
        }

        private void Check(int number, long page, Slot* slot)
        {
            LeafHeader* leaf = _memory.HeaderOf(slot);
            Require(leaf->Mapping == number && leaf->FirstPage == (page & -PageTable.SlotsPerLeaf), $"page {page} of table {number} got the leaf of page {leaf->FirstPage} of table {leaf->Mapping}");
            Require(slot == _memory.SlotsOf(leaf) + (page & (PageTable.SlotsPerLeaf - 1)), $"page {page} got another page's slot");
            Require((StateWord.Load(slot) & 0xFFFF_FFFF) == 0, "a slot has state that nobody gave it");
        }

        private void Reclaim()
        {
            LeafHeader* leaf = _memory.Dequeue();
            if (leaf == null)
            {
                return;
            }

            int number = leaf->Mapping;
            if (number is >= 1 and <= Tables)
            {
                _tables[number].TryReclaim(leaf);
            }
        }
    }
}
