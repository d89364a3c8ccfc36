using StorageCache.IO;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <remarks>PC-1, PC-3, PC-4, PC-6, PC-11.</remarks>
public sealed class CodecLoadTests
{
    public static TheoryData<string> Kinds => [.. TestCodecs.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_was_stored_is_read_again(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        Assert.Same(codec, test.Mapping.Codec);
        Assert.Equal(4096 - codec.TrailerSize, test.Mapping.UsablePageSize);
        for (int page = 0; page < 20; page++)
        {
            test.Fill(page, (byte)(page + 1));
        }

        await test.Mapping.FlushAsync();
        for (int page = 0; page < 20; page++)
        {
            byte[] stored = test.Device.Bytes(page);
            Assert.Equal((byte)(page + 1), TestCodecs.Decode(codec, page, stored)[0]);
            test.Evict(page);
            Assert.Equal((byte)(page + 1), test.ByteOf(page));
        }

        Assert.Equal(0, test.Cache.GetStatistics().CorruptPages);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task No_lease_shows_the_trailer_and_in_memory_it_is_zeros(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        int usable = test.Mapping.UsablePageSize;
        test.Device.Memory.Write(5 * 4096, TestCodecs.Encode(codec, 5, 55));
        using (PageWriteLease lease = test.Mapping.Write(5))
        {
            Assert.Equal(usable, lease.Span.Length);
        }

        using (PageReadLease lease = test.Mapping.Read(5))
        {
            Assert.Equal(usable, lease.Span.Length);
            AssertTrailerIsZeros(test, lease);
        }

        OptimisticRead look = test.Mapping.ReadOptimistic(5);
        Assert.Equal(usable, look.Span.Length);
        Assert.True(look.Validate());
        using (ProtectedPage held = test.Mapping.Protect(5, ProtectionReason.Snapshot))
        {
            Assert.Equal(usable, held.Span.Length);
        }

        using (PageWriteLease lease = test.Mapping.WriteNew(6))
        {
            Assert.Equal(usable, lease.Span.Length);
        }

        await test.Mapping.FlushAsync();
        using (PageReadLease lease = test.Mapping.Read(6))
        {
            AssertTrailerIsZeros(test, lease);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_corrupt_page_is_not_cached_and_reads_right_once_it_is_repaired(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        byte[] right = TestCodecs.Encode(codec, 5, 55);
        byte[] wrong = TestCodecs.Encode(codec, 6, 55);
        test.Device.Memory.Write(5 * 4096, wrong);
        for (int i = 0; i < 2; i++)
        {
            PageCorruptException error = Assert.Throws<PageCorruptException>(() => test.Mapping.Read(5));
            Assert.Equal("scripted", error.Path);
            Assert.Equal(5, error.Page);
            Assert.Contains("Page 5 of 'scripted' is corrupt", error.Message, StringComparison.Ordinal);
            Assert.Contains(error.Defect.ToString(), error.Message, StringComparison.Ordinal);
            Assert.False(test.IsResident(5));
        }

        Assert.Throws<PageCorruptException>(() => test.Mapping.Write(5));
        Assert.Throws<PageCorruptException>(() => test.Mapping.Pin(5));
        Assert.Throws<PageCorruptException>(() => test.Mapping.ReadOptimistic(5));
        await Assert.ThrowsAsync<PageCorruptException>(() => test.Mapping.ReadAsync(5).InTime());
        Assert.Equal(6, test.Cache.GetStatistics().CorruptPages);
        Assert.Equal(0, test.Cache.GetStatistics().ReadErrors);
        Assert.Equal(0, test.Cache.Core.Heads.InUse);

        test.Device.Memory.Write(5 * 4096, right);
        Assert.Equal(55, test.ByteOf(5));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_corrupt_page_can_be_written_anew_without_being_read(string kind)
    {
        PageCodec codec = TestCodecs.Make(kind);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        test.Device.Memory.Write(5 * 4096, TestCodecs.Encode(codec, 6, 55));
        using (PageWriteLease lease = test.Mapping.WriteNew(5))
        {
            lease.Span.Fill(77);
        }

        await test.Mapping.FlushAsync();
        test.Evict(5);
        Assert.Equal(77, test.ByteOf(5));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_who_waits_for_a_corrupt_page_reads_for_himself(bool inline)
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec, inline: inline);
        byte[] right = TestCodecs.Encode(codec, 5, 55);
        test.Device.Memory.Write(5 * 4096, TestCodecs.Encode(codec, 6, 55));
        int reads = 0;
        test.Device.Hold = _ => true;
        test.Device.Fault = call =>
        {
            if (++reads == 4)
            {
                test.Device.Memory.Write(5 * 4096, right);
            }

            return null;
        };
        Task<PageReadLease>[] waiters = [.. Enumerable.Range(0, 20).Select(_ => test.Mapping.ReadAsync(5).AsTask())];
        test.Device.ReleaseAll();
        for (int i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<PageCorruptException>(() => waiters[i].InTime());
        }

        for (int i = 3; i < waiters.Length; i++)
        {
            using PageReadLease lease = await waiters[i].InTime();
            Assert.Equal(55, lease.Span[0]);
        }

        Assert.Equal(4, reads);
        Assert.Equal(3, test.Cache.GetStatistics().CorruptPages);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_a_run_only_the_corrupt_page_fails(bool inline)
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec, inline: inline);
        for (int page = 0; page < 10; page++)
        {
            test.Device.Memory.Write(page * 4096, TestCodecs.Encode(codec, page, (byte)(page + 1)));
        }

        test.Device.Memory.Write(5 * 4096, TestCodecs.Encode(codec, 6, 55));
        test.Device.Hold = _ => true;
        Assert.Equal(10, test.Mapping.Prefetch(0, 10));
        Task<PageReadLease> ofCorrupt = test.Mapping.ReadAsync(5).AsTask();
        Task<PageReadLease> next = test.Mapping.ReadAsync(5).AsTask();
        Task<byte> ofRight = Task.Run(async () =>
        {
            using PageReadLease lease = await test.Mapping.ReadAsync(6);
            return lease.Span[0];
        });
        test.WaitForWaiters(6, 1);
        test.Device.ReleaseAll();
        Assert.Equal(7, await ofRight.InTime());
        await Assert.ThrowsAsync<PageCorruptException>(() => ofCorrupt.InTime());
        await Assert.ThrowsAsync<PageCorruptException>(() => next.InTime());
        Wait.Until(() => test.Cache.Core.Loads.InUse == 0, "the loads to end");
        for (int page = 0; page < 10; page++)
        {
            Assert.Equal(page != 5, test.IsResident(page));
        }

        // Once for nobody, and once for each who came for it.
        Assert.Equal(3, test.Cache.GetStatistics().CorruptPages);
    }

    [Fact]
    public async Task A_corrupt_page_that_nobody_waits_for_is_forgotten()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        for (int page = 0; page < 10; page++)
        {
            test.Device.Memory.Write(page * 4096, TestCodecs.Encode(codec, page + 1, 9));
        }

        test.Mapping.Prefetch(0, 10);
        Wait.Until(() => test.Cache.Core.Loads.InUse == 0, "the prefetch to end");
        Assert.Equal(0, test.Cache.Core.Heads.InUse);
        Assert.Equal(10, test.Cache.GetStatistics().CorruptPages);
    }

    /// <summary>Who goes on in place must not wait for what only the same thread can give him.</summary>
    [Fact]
    public async Task Code_that_goes_on_in_place_may_block_on_the_corrupt_page_of_its_run()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec, inline: true);
        for (int page = 0; page < 3; page++)
        {
            test.Device.Memory.Write(page * 4096, TestCodecs.Encode(codec, page == 1 ? 7 : page, 9));
        }

        test.Device.Hold = _ => true;
        test.Mapping.Prefetch(0, 3);
        Task reader = ReadThenBlockAsync(0);
        Task other = ReadThenBlockAsync(2);
        Task corrupt = ReadThenBlockAsync(1);
        await Task.Run(test.Device.ReleaseAll).InTime();
        await reader.InTime();
        await other.InTime();
        await Assert.ThrowsAsync<PageCorruptException>(() => corrupt.InTime());

        async Task ReadThenBlockAsync(long page)
        {
            (await test.Mapping.ReadAsync(page).ConfigureAwait(false)).Dispose();
            Assert.Throws<PageCorruptException>(() => test.Mapping.Read(1));
        }
    }

    [Fact]
    public async Task What_was_never_stored_is_zeros_and_the_codec_is_not_asked()
    {
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(pages: 20, codec: codec);
        Assert.Equal(0, test.ByteOf(3));
        await test.Mapping.ExtendAsync(30 * 4096);
        Assert.Equal(0, test.ByteOf(25));
        await test.Mapping.FlushAsync();
        test.Evict(25);
        Assert.Equal(0, test.ByteOf(25));
        Assert.Equal(0, codec.Decoded);
        Assert.Equal(0, codec.Encoded);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_punched_is_zeros(bool canPunch)
    {
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        test.Device.CanPunch = canPunch;
        for (int page = 0; page < 10; page++)
        {
            test.Fill(page, (byte)(page + 1));
        }

        await test.Mapping.FlushAsync();
        await test.Mapping.PunchAsync(3, 4);
        await test.Mapping.FlushAsync();
        for (int page = 0; page < 10; page++)
        {
            test.Evict(page);
            Assert.Equal(page is >= 3 and < 7 ? 0 : page + 1, test.ByteOf(page));
        }
    }

    [Fact]
    public async Task A_page_that_is_written_as_zeros_is_encoded_as_any_other()
    {
        AesGcmPageCodec codec = new(TestCodecs.FileId, TestCodecs.Key.ToArray());
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        test.Mapping.WriteNew(5).Dispose();
        await test.Mapping.FlushAsync();
        Assert.True(test.Device.Bytes(5).AsSpan().ContainsAnyExcept((byte)0));
        test.Evict(5);
        Assert.Equal(0, test.ByteOf(5));
    }

    /// <summary>What the device has lost of its last page is zeros, and with it the page is not right.</summary>
    [Fact]
    public async Task A_page_that_the_device_has_lost_a_part_of_is_corrupt()
    {
        ChecksumPageCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(pages: 8, codec: codec);
        test.Fill(7, 7);
        await test.Mapping.FlushAsync();
        test.Evict(7);
        await test.Device.Memory.SetLengthAsync((7 * 4096) + 1000, default);
        Assert.Throws<PageCorruptException>(() => test.Mapping.Read(7));
        await test.Device.Memory.SetLengthAsync(8 * 4096, default);
        Assert.Throws<PageCorruptException>(() => test.Mapping.Read(7));
    }

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(OutOfMemoryException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task A_codec_that_throws_fails_the_read_of_that_page_alone(Type thrown)
    {
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        for (int page = 0; page < 10; page++)
        {
            test.Device.Memory.Write(page * 4096, TestCodecs.Encode(codec, page, (byte)(page + 1)));
        }

        codec.OnDecode = page =>
        {
            if (page == 5)
            {
                throw (Exception)Activator.CreateInstance(thrown, "as scripted")!;
            }
        };
        test.Mapping.Prefetch(0, 10);
        Wait.Until(() => test.Cache.Core.Loads.InUse == 0, "the prefetch to end");
        PageReadException error = Assert.Throws<PageReadException>(() => test.Mapping.Read(5));
        Assert.IsType(thrown, Assert.IsType<BlockIOException>(error.InnerException).InnerException);
        Assert.Contains("ScriptedCodec", error.Message, StringComparison.Ordinal);
        Assert.Contains("as scripted", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, test.Cache.GetStatistics().ReadErrors);
        Assert.Equal(0, test.Cache.GetStatistics().CorruptPages);
        for (int page = 0; page < 10; page++)
        {
            Assert.Equal(page != 5, test.IsResident(page));
        }

        codec.OnDecode = null;
        Assert.Equal(6, test.ByteOf(5));
    }

    /// <remarks>PC-1: nobody gets at a page by any way while it is being decoded.</remarks>
    [Fact]
    public async Task Nobody_sees_a_page_before_it_is_decoded()
    {
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(codec: codec);
        test.Device.Memory.Write(5 * 4096, TestCodecs.Encode(codec, 5, 55));
        using ManualResetEventSlim inside = new();
        using ManualResetEventSlim goOn = new();
        codec.OnDecode = _ =>
        {
            inside.Set();
            goOn.Wait();
        };
        Task<byte> first = Task.Run(() => test.ByteOf(5));
        inside.Wait();
        Assert.False(test.Mapping.TryRead(5, out _));
        Assert.False(test.Mapping.TryWrite(5, out _));
        Assert.False(test.Mapping.TryPin(5, out _));
        Assert.False(test.Mapping.TryReadOptimistic(5, out _));
        Assert.False(test.IsResident(5));
        Task<PageReadLease> second = test.Mapping.ReadAsync(5).AsTask();
        Assert.False(second.IsCompleted);
        goOn.Set();
        Assert.Equal(55, await first.InTime());
        using PageReadLease lease = await second.InTime();
        Assert.Equal(55, lease.Span[0]);
        Assert.Equal(1, codec.Decoded);
    }

    private static unsafe void AssertTrailerIsZeros(TestCache test, PageReadLease lease)
    {
        fixed (byte* start = lease.Span)
        {
            Assert.False(new ReadOnlySpan<byte>(start + lease.Span.Length, 4096 - lease.Span.Length).ContainsAnyExcept((byte)0), "the trailer is not zeros");
        }

        Assert.Equal(test.Mapping.UsablePageSize, lease.Span.Length);
    }
}
