using StorageCache.Frames;
using StorageCache.Mappings;
using Xunit;

namespace StorageCache.Tests.Mappings;

public unsafe class PageTableMemoryTests
{
    /// <remarks>F-1. What the kernel took back reads as zeros.</remarks>
    [Fact]
    public void The_memory_of_a_node_that_is_charged_no_longer_is_given_back()
    {
        MemoryBudget budget = new(1 << 20);
        PageTableMemory memory = new(budget, 1 << 20, hugePages: false);
        NodeHeader* node = memory.TryAllocateNode(0, PageTable.BitsPerLevel);
        Span<nuint> entries = new(node->Entries, PageTable.EntriesPerNode);
        entries.Fill(64);
        memory.FreeNode(node);
        Assert.Equal(0, budget.Used);
        Assert.False(entries.ContainsAnyExcept((nuint)0));
        GC.KeepAlive(memory);
    }
}
