using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Writeback;
using Xunit;

namespace StorageCache.Tests.Waiting;

[Collection(nameof(Alone))]
public class StarvedThreadPoolTests
{
    /// <summary>
    /// Everything that is synchronous goes on while every thread of the pool is blocked: hits, misses through a file,
    /// eviction, waits, hand-overs, pauses for too much dirt.
    /// </summary>
    [Fact]
    public async Task Synchronous_calls_need_no_thread_of_the_pool()
    {
        using ScratchDirectory directory = new();
        using PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest, DirtyBackgroundRatio = 0.05, DirtyLimitRatio = 0.1 });
        Mapping mapping = await cache.OpenAsync(directory.File("a"));
        for (int page = 0; page < 300; page++)
        {
            using PageWriteLease lease = mapping.WriteNew(page);
            BitConverter.TryWriteBytes(lease.Span, 0L);
            lease.MarkDirty();
        }

        int probes = 0;
        List<Exception> errors = [];
        using (StarvedThreadPool starved = new())
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => Interlocked.Increment(ref probes), null);
            Thread[] threads = [.. Enumerable.Range(0, 4).Select(number => new Thread(() =>
            {
                try
                {
                    Random random = new(number);
                    for (int i = 0; i < 500; i++)
                    {
                        // Page 0 is fought for; the rest misses.
                        long page = i % 3 == 0 ? 0 : random.Next(300);
                        using PageWriteLease lease = mapping.Write(page);
                        BitConverter.TryWriteBytes(lease.Span, BitConverter.ToInt64(lease.Span) + 1);
                        lease.MarkDirty();
                    }

                    for (int i = 0; i < 300; i++)
                    {
                        mapping.Read(i).Dispose();
                        mapping.Pin(i).Dispose();
                        _ = mapping.ReadOptimistic(299 - i).Validate();
                    }
                }
                catch (Exception error)
                {
                    lock (errors)
                    {
                        errors.Add(error);
                    }
                }
            }))];
            foreach (Thread thread in threads)
            {
                thread.Start();
            }

            foreach (Thread thread in threads)
            {
                Assert.True(thread.Join(Wait.Patience), "a thread that uses no pool was held up by the pool");
            }

            Assert.Empty(errors);
            Assert.Equal(0, probes);
        }

        long sum = 0;
        for (int page = 0; page < 300; page++)
        {
            using PageReadLease lease = mapping.Read(page);
            sum += BitConverter.ToInt64(lease.Span);
        }

        Assert.Equal(2000, sum);
        Assert.True(cache.GetStatistics().ThrottledWrites > 0);
        await mapping.CloseAsync().InTime();
    }

    /// <summary>A pause for too much dirt ends on the clock of the blocked thread itself, also when no write ever ends (WB-6).</summary>
    [Fact]
    public async Task A_throttled_thread_needs_no_thread_of_the_pool()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400, memory: TestCache.Smallest, dirtyBackground: 0.05, dirtyLimit: 0.2);
        test.Device.Hold = call => call.Operation == StorageCache.IO.BlockOperation.Write;
        bool done;
        using (StarvedThreadPool starved = new())
        {
            Thread writer = new(() =>
            {
                for (int page = 0; page < 20; page++)
                {
                    test.Fill(page, 1);
                }
            });
            writer.Start();
            done = writer.Join(TimeSpan.FromSeconds(10));
        }

        Assert.True(done, "the writer was held up by the pool");
        Assert.True(test.Cache.GetStatistics().ThrottledWrites > 0);
        test.Device.ReleaseAll();
    }

    /// <summary>Each failed read is tried again for the next in line, and by no thread of the pool (T-1, M-1).</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    public async Task Failing_reads_need_no_thread_of_the_pool(int failures)
    {
        await using TestCache test = await TestCache.OpenAsync();
        int reads = 0;
        int failed = 0;
        int served = 0;
        test.Device.Hold = _ => true;
        test.Device.Fault = call => call.Operation == BlockOperation.Read && Interlocked.Increment(ref reads) <= failures ? ScriptedDevice.Eio(call) : null;
        using (StarvedThreadPool starved = new())
        {
            Thread[] threads = Start(8, _ =>
            {
                try
                {
                    test.Mapping.Read(5).Dispose();
                    Interlocked.Increment(ref served);
                }
                catch (PageReadException)
                {
                    Interlocked.Increment(ref failed);
                }
            });
            test.WaitForWaiters(5, 8);
            test.Device.ReleaseAll();
            Join(threads);
        }

        Assert.Equal(Math.Min(failures, 8), failed);
        Assert.Equal(8, failed + served);
    }

    /// <summary>The pages of a run that failed are read one by one, by no thread of the pool (T-1).</summary>
    [Fact]
    public async Task Narrowed_reads_need_no_thread_of_the_pool()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = _ => true;
        test.Device.Fault = call => call.Segments > 1 ? ScriptedDevice.Eio(call) : null;
        test.Mapping.Prefetch(0, 8);
        using (StarvedThreadPool starved = new())
        {
            Thread[] threads = Start(8, page => test.Mapping.Read(page).Dispose());
            Wait.Until(() => Enumerable.Range(0, 8).All(page => test.WaitersOf(page) == 1), "all to stand in line");
            test.Device.ReleaseAll();
            Join(threads);
        }
    }

    /// <summary>
    /// Every write of more than one page fails, so the cache is made clean page by page. Those who bring pages in depend on it,
    /// and it on no thread of the pool (T-1).
    /// </summary>
    [Fact]
    public async Task Narrowed_writes_need_no_thread_of_the_pool()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        test.Device.Fault = call => call.Segments > 1 ? ScriptedDevice.Eio(call) : null;
        using (StarvedThreadPool starved = new())
        {
            Join(Start(1, _ =>
            {
                for (int page = 0; page < 400; page++)
                {
                    test.Fill(page, (byte)page);
                }
            }));
        }

        for (int page = 0; page < 400; page++)
        {
            Assert.Equal((byte)page, test.ByteOf(page));
        }
    }

    /// <remarks>T-1.</remarks>
    [Fact]
    public async Task The_time_out_of_a_frame_needs_no_thread_of_the_pool()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest, frameTimeout: TimeSpan.FromMilliseconds(50));
        List<PagePin> pins = [];
        while (test.Mapping.Prefetch(pins.Count, 1) == 1)
        {
            pins.Add(test.Mapping.Pin(pins.Count));
        }

        int full = 0;
        using (StarvedThreadPool starved = new())
        {
            Join(Start(4, number =>
            {
                try
                {
                    test.Mapping.Read(500 + (number / 2)).Dispose();
                }
                catch (CacheFullException)
                {
                    Interlocked.Increment(ref full);
                }
            }));
        }

        Assert.Equal(4, full);
        pins.ForEach(pin => pin.Dispose());
    }

    /// <summary>
    /// A flush that waited for a page holds a latch of it for a moment; whoever waits behind it must not wait for a thread of the
    /// pool to end that moment (T-1).
    /// </summary>
    [Fact]
    public async Task A_flush_that_holds_a_page_needs_no_thread_of_the_pool()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(5, 1);
        PageWriteLease held = test.Mapping.Write(5);
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.WaitForWaiters(5, 1);
        using (StarvedThreadPool starved = new())
        {
            Thread[] writers = Start(2, _ => test.Mapping.Write(5).Dispose());
            test.WaitForWaiters(5, 3);
            held.Dispose();
            Join(writers);
            Join(Start(1, _ => flush.Wait()));
        }

        Assert.Equal(1, test.Device.Bytes(5)[0]);
    }

    /// <remarks>T-1.</remarks>
    [Fact]
    public async Task A_truncation_that_new_pages_wait_for_needs_no_thread_of_the_pool()
    {
        await using TestCache test = await TestCache.OpenAsync();
        PageReadLease held = test.Mapping.Read(10);
        Task cut = test.Mapping.TruncateAsync((5 * 4096) + 100).AsTask();
        test.WaitForWaiters(10, 1);
        using (StarvedThreadPool starved = new())
        {
            Thread[] writers = Start(2, number => test.Mapping.WriteNew(20 + number).Dispose());
            Wait.Until(() => test.Cache.Core.Waiters.InUse == 3, "two to wait for the end of the truncation");
            held.Dispose();
            Join(writers);
            Join(Start(1, _ => cut.Wait()));
        }

        Assert.Equal(22, test.Mapping.PageCount);
    }

    /// <summary>Permits for writes go from hand to hand past the pool: there are more flushes than permits (T-1).</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Flushes_that_wait_for_permits_need_no_thread_of_the_pool(bool cancellable)
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 400);
        using CancellationTokenSource source = new();
        for (int page = 0; page < 400; page += 2)
        {
            test.Fill(page, 1);
        }

        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task[] flushes = [.. Enumerable.Range(0, 5).Select(_ => test.Mapping.FlushAsync(cancellable ? source.Token : default).AsTask())];
        test.Device.WaitForHeld(test.Cache.Core.WriteBack.Permits.Count);
        using (StarvedThreadPool starved = new())
        {
            test.Device.ReleaseAll();
            Join(Start(5, number => flushes[number].Wait()));
        }

        Assert.Equal(0, test.Cache.GetStatistics().DirtyPages);
        Assert.Equal(test.Cache.Core.WriteBack.Permits.Count, test.Cache.Core.WriteBack.Permits.Available);
    }

    /// <summary>Whoever blocks a thread on an asynchronous call has at least no need of the pool for it.</summary>
    [Fact]
    public async Task Flushing_growing_cutting_and_closing_a_file_need_no_thread_of_the_pool()
    {
        using ScratchDirectory directory = new();
        PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping mapping = await cache.OpenAsync(directory.File("a"));
        Mapping other = await cache.OpenAsync(directory.File("b"));
        using CancellationTokenSource source = new();
        int step = 0;
        using (StarvedThreadPool starved = new())
        {
            Join(Start(1, _ =>
            {
                for (int i = 0; i < 3; i++)
                {
                    using (PageWriteLease lease = mapping.WriteNew(i * 10))
                    {
                        lease.MarkDirty();
                    }

                    mapping.ExtendAsync((i * 10 * 4096) + (20 * 4096)).AsTask().Wait();
                    step++;
                    mapping.FlushAsync(source.Token).AsTask().Wait();
                    step++;
                    mapping.TruncateAsync((i * 10 * 4096) + 4196, source.Token).AsTask().Wait();
                    step++;
                }

                using (PageWriteLease lease = other.WriteNew(0))
                {
                    lease.MarkDirty();
                }

                mapping.CloseAsync(source.Token).AsTask().Wait();
                step++;
                cache.FlushAsync().AsTask().Wait();
                step++;
                cache.DisposeAsync().AsTask().Wait();
                step++;
            }));
        }

        Assert.Equal(12, step);
        Assert.Equal((20 * 4096) + 4196, new FileInfo(directory.File("a")).Length);
    }

    /// <summary>Those who wait when the cache is ended are sent away by no thread of the pool (T-1).</summary>
    [Fact]
    public async Task Ending_the_cache_needs_no_thread_of_the_pool()
    {
        PageCache cache = new(new PageCacheOptions { MemoryLimit = 4 << 20 });
        Mapping mapping = await cache.OpenAsync(new ScriptedDevice(10));
        PageWriteLease held = mapping.Write(1);
        int refused = 0;
        using (StarvedThreadPool starved = new())
        {
            Thread[] readers = Start(3, _ =>
            {
                try
                {
                    mapping.Read(1).Dispose();
                }
                catch (CacheDisposedException)
                {
                    Interlocked.Increment(ref refused);
                }
            });
            Wait.Until(() => cache.Core.Waiters.InUse == 3, "three to wait");
            cache.Dispose();
            Join(readers);
        }

        Assert.Equal(3, refused);
        held.Dispose();
    }

    private static Thread[] Start(int count, Action<int> body)
    {
        Thread[] threads = [.. Enumerable.Range(0, count).Select(number => new Thread(() => body(number)) { IsBackground = true })];
        Array.ForEach(threads, thread => thread.Start());
        return threads;
    }

    private static void Join(Thread[] threads) =>
        Assert.All(threads, thread => Assert.True(thread.Join(Wait.Patience), "a thread that uses no pool was held up by the pool"));

    /// <summary>A truncation that is given its latch by one who reads ahead, and may run nobody's continuation meanwhile (RA-10, T-1).</summary>
    [Fact]
    public async Task A_truncation_that_waits_for_a_page_read_ahead_needs_no_thread_of_the_pool()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000);
        Task truncation = Task.CompletedTask;
        test.Device.Hold = call =>
        {
            if (call.Operation == BlockOperation.Read)
            {
                // It comes to wait for the page while that is read, by a device that completes in place.
                truncation = test.Mapping.TruncateAsync(400 * 4096).AsTask();
            }

            return false;
        };
        bool ended = false;
        bool waited = false;
        using (StarvedThreadPool starved = new())
        {
            Thread reader = new(() =>
            {
                test.Mapping.Prefetch(500, 1);
                waited = test.Cache.GetStatistics().Waits > 0;
                ended = truncation.Wait(Wait.Patience);
            });
            reader.Start();
            reader.Join();
        }

        Assert.True(waited, "the truncation did not come to wait");
        Assert.True(ended, "the truncation was held up by the pool");
        Assert.Equal(400 * 4096, test.Mapping.Length);
    }
}
