using StorageCache.IO;
using StorageCache.IO.Ring;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Writeback;

/// <summary>Nothing is allocated on the managed heap for a write, in steady state.</summary>
[Collection(nameof(Alone))]
public class WriteAllocationTests
{
    private const int Pages = 1200;

    /// <remarks>WB-13.</remarks>
    [Theory]
    [InlineData("ring", false)]
    [InlineData("threads", false)]
    [InlineData("memory", false)]
    [InlineData("memory", true)]
    public async Task Background_write_back_allocates_nothing_in_steady_state(string kind, bool isLogged)
    {
        await using Subject subject = await Subject.OpenAsync(kind, TestCache.Smallest * 2, isLogged ? new ReadyLog() : null);
        ulong lsn = 0;
        Random random = new(1);
        void Dirty(int count)
        {
            for (int i = 0; i < count; i++)
            {
                using PageWriteLease lease = subject.Mapping.WriteNew(random.Next(Pages));
                lease.MarkDirty(isLogged ? ++lsn : 0);
            }
        }

        Dirty(6000);
        long least = long.MaxValue;
        for (int batch = 0; batch < 8 && least > 1000; batch++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            long writtenBefore = subject.Cache.GetStatistics().BytesWritten;
            Dirty(3000);
            Assert.True(subject.Cache.GetStatistics().BytesWritten - writtenBefore > 1000 * 4096);
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        // The runtime may allocate something of its own now and then; a write that did would do so thousands of times.
        Assert.InRange(least, 0, 1000);
    }

    /// <remarks>WB-13.</remarks>
    [Theory]
    [InlineData("ring")]
    [InlineData("threads")]
    [InlineData("memory")]
    public async Task A_flush_allocates_no_more_for_many_writes_than_for_few(string kind)
    {
        await using Subject subject = await Subject.OpenAsync(kind, 16 << 20);
        for (int i = 0; i < 5; i++)
        {
            await FlushAsync(subject, 600);
        }

        long few = long.MaxValue;
        long many = long.MaxValue;
        for (int i = 0; i < 8; i++)
        {
            few = Math.Min(few, await FlushAsync(subject, 60));
            many = Math.Min(many, await FlushAsync(subject, 600));
        }

        // Which waits of a flush find that there is nothing to wait for may differ.
        Assert.InRange(many - few, -1000, 1000);
    }

    private static async Task<long> FlushAsync(Subject subject, int writes)
    {
        for (int i = 0; i < writes; i++)
        {
            using PageWriteLease lease = subject.Mapping.WriteNew(2 * i);
            lease.MarkDirty();
        }

        long before = GC.GetTotalAllocatedBytes(precise: true);
        await subject.Mapping.FlushAsync();
        return GC.GetTotalAllocatedBytes(precise: true) - before;
    }

    /// <summary>A log that has become durable up to wherever it is asked, and asked for more by every second batch of writes.</summary>
    private sealed class ReadyLog : IWriteAheadLog
    {
        private ulong _durable;

        public ulong DurableLsn => Volatile.Read(ref _durable);

        public ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken)
        {
            Volatile.Write(ref _durable, lsn + 1000);
            return default;
        }
    }

    /// <summary>A cache with a mapping of some kind.</summary>
    private sealed class Subject : IAsyncDisposable
    {
        private readonly ScratchDirectory _directory = new();

        private Subject(PageCache cache) => Cache = cache;

        public PageCache Cache { get; }

        public Mapping Mapping { get; private set; } = null!;

        public static async Task<Subject> OpenAsync(string kind, long memory, IWriteAheadLog? log = null)
        {
            Assert.SkipWhen(kind == "ring" && RingAvailability.Reason is not null, "There is no ring.");
            Subject subject = new(new PageCache(new PageCacheOptions
            {
                MemoryLimit = memory,
                IoEngine = kind == "ring" ? IoEngine.IoUring : IoEngine.Threads,
                IoThreads = 4,
                DirtyBackgroundRatio = memory < 1 << 20 ? 0.1 : 0.9,
                DirtyLimitRatio = 0.95,
                WriteBackInterval = TimeSpan.FromHours(1),
            }));
            if (kind == "memory")
            {
                subject.Mapping = await subject.Cache.OpenAsync(new MemoryBlockDevice("memory", Pages * 4096), new MappingOptions { Log = log });
                return subject;
            }

            string path = subject._directory.File("a");
            await using (FileStream file = File.Create(path))
            {
                file.SetLength(Pages * 4096);
            }

            subject.Mapping = await subject.Cache.OpenAsync(path);
            return subject;
        }

        public async ValueTask DisposeAsync()
        {
            await Cache.DisposeAsync();
            _directory.Dispose();
        }
    }
}
