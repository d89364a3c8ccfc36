using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <remarks>PC-2, PC-7, PC-8, PC-9, PC-11.</remarks>
public sealed class CodecStoreTests
{
    public static TheoryData<string> Kinds => [.. TestCodecs.Kinds];

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    public async Task A_page_that_cannot_be_encoded_stays_dirty_and_the_others_are_written(int pages)
    {
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        for (int page = 0; page < pages; page++)
        {
            test.Fill(page, (byte)(page + 1));
        }

        int bad = pages / 2;
        codec.OnEncode = page =>
        {
            if (page == bad)
            {
                throw new InvalidOperationException("as scripted");
            }
        };
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.Equal(bad, error.Page);
        Assert.IsType<InvalidOperationException>(Assert.IsType<BlockIOException>(error.InnerException).InnerException);
        Assert.Contains("ScriptedCodec", error.Message, StringComparison.Ordinal);
        Assert.True(test.Mapping.IsDirty(bad));
        Assert.Equal(1, test.Mapping.DirtyPages);
        Assert.Equal((byte)(bad + 1), test.ByteOf(bad));
        Assert.False(test.Device.Bytes(bad).AsSpan().ContainsAnyExcept((byte)0), "it was written all the same");
        for (int page = 0; page < pages; page++)
        {
            if (page != bad)
            {
                Assert.Equal((byte)(page + 1), TestCodecs.Decode(codec, page, test.Device.Bytes(page))[0]);
            }
        }

        Assert.Equal(1, test.Cache.GetStatistics().WriteErrors);
        codec.OnEncode = null;
        await test.Mapping.FlushAsync();
        Assert.Equal((byte)(bad + 1), TestCodecs.Decode(codec, bad, test.Device.Bytes(bad))[0]);
    }

    [Fact]
    public async Task Encryption_whose_key_is_gone_writes_nothing()
    {
        AesGcmPageCodec codec = new(TestCodecs.FileId, TestCodecs.Key.ToArray());
        TestCache test = await TestCache.OpenAsync(codec: codec);
        test.Fill(5, 65);
        codec.Dispose();
        await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.False(test.Device.Bytes(5).AsSpan().ContainsAnyExcept((byte)0), "it was written all the same");
        test.Cache.Dispose();
    }

    /// <summary>Nothing of what a page holds in memory reaches a device but by way of the codec: in runs, one by one, in the background and on close.</summary>
    [Fact]
    public async Task Nothing_reaches_the_device_as_it_is_in_memory()
    {
        PlaintextAlarm device = new(400);
        await using (PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest, WriteBackInterval = TimeSpan.FromMilliseconds(1) }))
        {
            Mapping mapping = await cache.OpenAsync(device, new MappingOptions { Codec = TestCodecs.Make("aes") });
            Random random = new(1);
            for (int i = 0; i < 4000; i++)
            {
                using (PageWriteLease lease = i % 3 == 0 ? mapping.WriteNew(random.Next(400)) : mapping.Write(random.Next(400)))
                {
                    lease.Span.Fill(PlaintextAlarm.Plaintext);
                    lease.MarkDirty();
                }

                if (i % 500 == 0)
                {
                    await mapping.FlushAsync();
                }
            }
        }

        Assert.Null(device.Alarm);
        Assert.True(device.Writes > 100);
    }

    /// <remarks>PC-7.</remarks>
    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Who_writes_a_page_while_it_is_stored_breaks_away(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        test.Fill(5, 1);
        test.Device.Hold = call => call.Operation == BlockOperation.Write;
        Task flush = test.Mapping.FlushAsync().AsTask();
        test.Device.WaitForHeld(1);
        test.Fill(5, 2);
        test.Device.ReleaseAll();
        await flush.InTime();
        Assert.Equal(1, TestCodecs.Decode(codec, 5, test.Device.Bytes(5))[9]);
        await test.Mapping.FlushAsync();
        Assert.Equal(2, TestCodecs.Decode(codec, 5, test.Device.Bytes(5))[9]);
    }

    /// <remarks>PC-7.</remarks>
    [Fact]
    public async Task What_is_encoded_stands_still_whatever_writers_do()
    {
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        test.Fill(5, 1);
        using ManualResetEventSlim inside = new();
        using ManualResetEventSlim goOn = new();
        codec.OnEncode = _ =>
        {
            inside.Set();
            goOn.Wait();
        };
        Task flush = Task.Run(() => test.Mapping.FlushAsync().AsTask());
        inside.Wait();
        test.Fill(5, 2);
        Assert.Equal(2, test.ByteOf(5));
        codec.OnEncode = null;
        goOn.Set();
        await flush.InTime();
        Assert.Equal(1, TestCodecs.Decode(codec, 5, test.Device.Bytes(5))[9]);
    }

    [Fact]
    public async Task A_failed_write_is_encoded_anew_page_by_page()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        for (int page = 0; page < 10; page++)
        {
            test.Fill(page, (byte)(page + 1));
        }

        test.Device.Fault = call => call.Operation == BlockOperation.Write && call.Covers(5) ? ScriptedDevice.Eio(call) : null;
        PageWriteException error = await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime());
        Assert.Equal(5, error.Page);
        Assert.Equal(1, test.Mapping.DirtyPages);
        test.Device.Fault = null;
        await test.Mapping.FlushAsync();
        for (int page = 0; page < 10; page++)
        {
            Assert.Equal((byte)(page + 1), TestCodecs.Decode(codec, page, test.Device.Bytes(page))[0]);
        }
    }

    /// <remarks>PC-8: a cache as small as there can be, each of whose pages is dirty.</remarks>
    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_cache_full_of_dirty_pages_is_written_back(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest, codec: codec);
        for (int page = 0; page < 1000; page++)
        {
            test.Fill(page, (byte)((page % 250) + 1));
        }

        await test.Mapping.FlushAsync().InTime();
        for (int page = 0; page < 1000; page++)
        {
            Assert.Equal((byte)((page % 250) + 1), TestCodecs.Decode(codec, page, test.Device.Bytes(page))[0]);
            Assert.Equal((byte)((page % 250) + 1), test.ByteOf(page));
        }

        Assert.False(test.Device.SawOverlappingWrites);
    }

    /// <remarks>PC-8: all frames are taken but for what is kept back, so a run goes in several transfers.</remarks>
    [Fact]
    public async Task A_write_for_which_there_are_too_few_frames_goes_in_several_transfers()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest, codec: codec);
        int kept = test.Cache.Core.WriteBack.Bounce.Total;
        Assert.InRange(kept, 1, test.Frames / 16);
        using (PinList pins = new())
        {
            for (int page = 0; test.Cache.Core.Frames.Available > test.Cache.Core.Frames.Reserve; page++)
            {
                pins.Add(test.Mapping.Pin(page));
            }

            for (int page = 0; page < 20; page++)
            {
                test.Fill(page, (byte)(page + 1));
            }

            await test.Mapping.FlushAsync().InTime();
        }

        Assert.Equal((20 + kept - 1) / kept, test.Device.WriteCalls.Count);
        Assert.All(test.Device.WriteCalls, call => Assert.InRange(call.Segments, 1, kept));
        Assert.Equal(1, test.Cache.GetStatistics().Writes);
        Assert.Equal(20 * 4096, test.Cache.GetStatistics().BytesWritten);
        for (int page = 0; page < 20; page++)
        {
            Assert.Equal((byte)(page + 1), TestCodecs.Decode(codec, page, test.Device.Bytes(page))[0]);
        }
    }

    /// <remarks>PC-8.</remarks>
    [Fact]
    public async Task Writes_that_find_no_frame_stand_in_line_and_are_written_in_the_end()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest, codec: codec);
        ScriptedDevice device = new(64);
        Mapping other = await test.Cache.OpenAsync(device, new MappingOptions { Codec = codec });
        device.Hold = test.Device.Hold = call => call.Operation == BlockOperation.Write;

        // Every second page, so that each is a write of its own: there are more than frames to encode them into.
        for (int page = 0; page < 24; page += 2)
        {
            test.Fill(page, (byte)(page + 1));
            using PageWriteLease lease = other.WriteNew(page);
            lease.Span.Fill((byte)(page + 100));
        }

        Task[] flushes = [test.Mapping.FlushAsync().AsTask(), other.FlushAsync().AsTask()];
        int most = Math.Max(1, test.Frames / 8);
        Wait.Until(() => test.Cache.Core.WriteBack.Bounce.InUse > 0 && test.Device.HeldCount + device.HeldCount >= Math.Min(most, test.Cache.Core.WriteBack.Bounce.InUse), "writes to be held");
        Assert.InRange(test.Cache.Core.WriteBack.Bounce.InUse, 1, most);
        Assert.InRange(test.Device.HeldCount + device.HeldCount, 1, most);
        test.Device.ReleaseAll();
        device.ReleaseAll();
        await Task.WhenAll(flushes).InTime();
        for (int page = 0; page < 24; page += 2)
        {
            Assert.Equal((byte)(page + 1), TestCodecs.Decode(codec, page, test.Device.Bytes(page))[0]);
            Assert.Equal((byte)(page + 100), TestCodecs.Decode(codec, page, device.Bytes(page))[0]);
        }

        Assert.False(test.Device.SawOverlappingWrites);
        await other.CloseAsync();
    }

    /// <remarks>PC-9.</remarks>
    [Fact]
    public async Task Frames_are_kept_back_while_a_mapping_writes_encoded_pages_and_no_longer()
    {
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = 8 << 20 });
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        Mapping plain = await cache.OpenAsync(new MemoryBlockDevice("plain", 4096));
        Mapping reader = await cache.OpenAsync(new MemoryBlockDevice("reader", 4096), new MappingOptions { Codec = codec, ReadOnly = true });
        Assert.Equal(0, cache.Core.WriteBack.Bounce.Total);
        Assert.Equal(0, cache.Core.Frames.Active);
        Mapping one = await cache.OpenAsync(new MemoryBlockDevice("one", 4096), new MappingOptions { Codec = codec });
        Mapping two = await cache.OpenAsync(new MemoryBlockDevice("two", 4096), new MappingOptions { Codec = codec });
        int kept = cache.Core.WriteBack.Bounce.Total;
        Assert.Equal((int)cache.GetStatistics().FrameCapacity / 32, kept);
        Assert.Equal(kept, cache.Core.Frames.Active);
        Assert.True(cache.GetStatistics().MemoryUsed >= kept * 4096L);
        await one.CloseAsync();
        Assert.Equal(kept, cache.Core.WriteBack.Bounce.Total);
        await two.CloseAsync();
        Assert.Equal(0, cache.Core.WriteBack.Bounce.Total);
        await reader.CloseAsync();
        await plain.CloseAsync();
        Assert.Equal(cache.Core.Frames.FreeCount, cache.Core.Frames.Active);
    }

    /// <remarks>PC-9.</remarks>
    [Fact]
    public async Task What_is_kept_back_follows_the_memory_limit()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(pages: 4000, memory: 16 << 20, codec: codec);
        int kept = test.Cache.Core.WriteBack.Bounce.Total;
        for (int page = 0; page < 2000; page++)
        {
            test.Fill(page, (byte)((page % 250) + 1));
        }

        await test.Cache.ResizeAsync(TestCache.Smallest);
        Assert.InRange(test.Cache.Core.WriteBack.Bounce.Total, 1, kept / 32);
        test.AssertSound();
        await test.Cache.ResizeAsync(16 << 20);
        for (int page = 0; page < 2000; page++)
        {
            test.Fill(page, (byte)((page % 250) + 2));
        }

        await test.Mapping.FlushAsync().InTime();
        for (int page = 0; page < 2000; page++)
        {
            Assert.Equal((byte)((page % 250) + 2), TestCodecs.Decode(codec, page, test.Device.Bytes(page))[0]);
        }
    }

    [Fact]
    public async Task An_open_for_which_there_is_no_frame_to_keep_back_fails_and_works_later()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 1000, memory: TestCache.Smallest);
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        PinList pins = new();
        for (int page = 0; test.Cache.Core.Frames.Available > test.Cache.Core.Frames.Reserve; page++)
        {
            pins.Add(test.Mapping.Pin(page));
        }

        // Those for breaks as well: each is one that a writer broke away from.
        List<ProtectedPage> held = [];
        for (int page = 0; test.Cache.Core.Frames.Available > 0; page++)
        {
            held.Add(test.Mapping.Protect(page, ProtectionReason.Snapshot));
            test.Fill(page, 5);
        }

        MemoryBlockDevice device = new("encoded", 4096);
        await Assert.ThrowsAsync<CacheFullException>(() => test.Cache.OpenAsync(device, new MappingOptions { Codec = codec }).InTime());
        Assert.Equal(0, test.Cache.Core.WriteBack.Bounce.Total);
        held.ForEach(page => page.Dispose());
        pins.Dispose();
        Mapping mapping = await test.Cache.OpenAsync(device, new MappingOptions { Codec = codec });
        await mapping.CloseAsync();
    }

    /// <summary>Notes a write that holds what pages hold in memory.</summary>
    private sealed class PlaintextAlarm(long pages) : IBlockDevice
    {
        public const byte Plaintext = 0x41;

        private readonly MemoryBlockDevice _memory = new("alarm", pages * 4096);
        private long _writes;

        public string? Alarm { get; private set; }

        public long Writes => Volatile.Read(ref _writes);

        public string Name => _memory.Name;

        public int Alignment => _memory.Alignment;

        public long Length => _memory.Length;

        public bool IsReadOnly => false;

        public void Submit(BlockRequest request)
        {
            if (request.Operation == BlockOperation.Write)
            {
                Interlocked.Increment(ref _writes);
                foreach (BlockSegment segment in request.Segments)
                {
                    if (segment.Span.IndexOf([Plaintext, Plaintext, Plaintext, Plaintext, Plaintext, Plaintext]) >= 0)
                    {
                        Alarm = $"at {request.Offset}";
                    }
                }
            }

            _memory.Submit(request);
        }

        public void Execute(BlockRequest request) => Submit(request);

        public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => _memory.SetLengthAsync(length, cancellationToken);

        public ValueTask DisposeAsync() => _memory.DisposeAsync();
    }
}
