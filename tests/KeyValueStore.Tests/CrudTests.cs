using System.Buffers;
using Xunit;

namespace StorageCache.KeyValueStore.Tests;

public class CrudTests
{
    [Fact]
    public async Task A_new_store_is_empty_and_sound()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());

        Assert.Equal(0, store.Count);
        Assert.Null(await store.GetAsync(TestData.Bytes("anything")));
        Assert.Empty(await store.ScanAsync().ToListAsync());
        Assert.Empty(await store.ScanAsync(new ScanOptions { Reverse = true }).ToListAsync());
        Assert.False(await store.DeleteAsync(TestData.Bytes("anything")));
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task What_is_put_is_got_until_it_is_deleted()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        byte[] key = TestData.Bytes("key");

        await store.PutAsync(key, TestData.Bytes("first"));
        Assert.Equal(TestData.Bytes("first"), await store.GetAsync(key));
        await store.PutAsync(key, TestData.Bytes("second"));
        Assert.Equal(TestData.Bytes("second"), await store.GetAsync(key));
        Assert.Equal(1, store.Count);
        Assert.True(await store.DeleteAsync(key));
        Assert.Null(await store.GetAsync(key));
        Assert.False(await store.DeleteAsync(key));
        Assert.Equal(0, store.Count);
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task The_empty_key_and_the_longest_key_are_keys_like_others()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        byte[] longest = TestData.Value(1, KeyValueStore.MaximumKeyLength);
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            await store.PutAsync(default, TestData.Bytes("of nothing"));
            await store.PutAsync(longest, TestData.Bytes("of much"));
            for (int i = 0; i < 500; i++)
            {
                await store.PutAsync(TestData.Key(i), TestData.Value(i, 100));
            }
        }

        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            Assert.Equal(TestData.Bytes("of nothing"), await store.GetAsync(default));
            Assert.Equal(TestData.Bytes("of much"), await store.GetAsync(longest));
            List<KeyValueEntry> first = await store.ScanAsync(new ScanOptions { Limit = 1 }).ToListAsync();
            Assert.True(first[0].Key.IsEmpty);
            Assert.True(await store.DeleteAsync(default));
            Assert.True(await store.DeleteAsync(longest));
            Assert.Equal(500, store.Count);
            await store.AssertSoundAsync();
        }
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(16384)]
    [InlineData(65536)]
    public async Task Values_of_every_size_around_the_limits_come_back_in_every_way_of_reading(int pageSize)
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        KeyValueStoreOptions options = new() { PageSize = pageSize, CacheSize = 8 << 20 };
        int inline = new Format.PageLimits(pageSize).InlineLimit(keyLength: 12);
        int payload = new Format.PageLimits(pageSize).OverflowPayload;
        int[] sizes =
        [
            0, 1, 27, 28, 29, inline - 1, inline, inline + 1, payload - 1, payload, payload + 1, (2 * payload) - 1, 2 * payload,
            (2 * payload) + 1, pageSize, 65535, 65536, 65537, (17 * payload) + 3,
        ];
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, options))
        {
            for (int i = 0; i < sizes.Length; i++)
            {
                byte[] value = TestData.Value(i, sizes[i]);
                switch (i % 3)
                {
                    case 0:
                        await store.PutAsync(TestData.Key(i), value);
                        break;
                    case 1:
                        await store.PutAsync(TestData.Key(i), new MemoryStream(value));
                        break;
                    default:
                        await store.PutAsync(TestData.Key(i), TwoPieces(value));
                        break;
                }
            }

            await store.AssertSoundAsync();
        }

        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 8 << 20 }))
        {
            Assert.Equal(pageSize, store.PageSize);
            for (int i = 0; i < sizes.Length; i++)
            {
                byte[] value = TestData.Value(i, sizes[i]);
                byte[] key = TestData.Key(i);
                Assert.Equal(value, await store.GetAsync(key));
                Assert.Equal(value.Length, await store.GetLengthAsync(key));

                ArrayBufferWriter<byte> buffer = new();
                Assert.True(await store.TryGetAsync(key, buffer));
                Assert.Equal(value, buffer.WrittenSpan.ToArray());

                buffer.ResetWrittenCount();
                Assert.True(store.TryGet(key, buffer));
                Assert.Equal(value, buffer.WrittenSpan.ToArray());

                using MemoryStream stream = new();
                Assert.Equal(value.Length, await store.CopyToAsync(key, stream));
                Assert.Equal(value, stream.ToArray());
            }

            List<KeyValueEntry> entries = await store.ScanAsync().ToListAsync();
            Assert.Equal(sizes.Length, entries.Count);
            for (int i = 0; i < sizes.Length; i++)
            {
                Assert.Equal(TestData.Value(i, sizes[i]), entries[i].Value.ToArray());
            }

            Assert.Null(await store.CopyToAsync(TestData.Bytes("absent"), Stream.Null));
            Assert.Null(await store.GetLengthAsync(TestData.Bytes("absent")));
            Assert.False(store.TryGet(TestData.Bytes("absent"), new ArrayBufferWriter<byte>()));
        }
    }

    [Fact]
    public async Task The_largest_value_goes_through_a_cache_an_eighth_its_size()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        byte[] value = TestData.Value(64, KeyValueStore.MaximumValueLength);
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { PageSize = 16384, CacheSize = 8 << 20 }))
        {
            await store.PutAsync(TestData.Bytes("largest"), value);
            byte[]? read = await store.GetAsync(TestData.Bytes("largest"));
            Assert.True(value.AsSpan().SequenceEqual(read));
            await store.AssertSoundAsync();
        }

        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { CacheSize = 8 << 20 }))
        {
            byte[]? read = await store.GetAsync(TestData.Bytes("largest"));
            Assert.True(value.AsSpan().SequenceEqual(read));
            Assert.True(await store.DeleteAsync(TestData.Bytes("largest")));
            await store.AssertSoundAsync();
        }
    }

    [Fact]
    public async Task A_value_too_long_is_refused_and_takes_no_pages()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File(), new KeyValueStoreOptions { PageSize = 65536 });
        byte[] value = new byte[KeyValueStore.MaximumValueLength + 1];
        byte[] key = TestData.Bytes("key");

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>("value", async () => await store.PutAsync(key, value));
        Assert.Contains("67108864", exception.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>("value", async () => await store.PutAsync(key, new MemoryStream(value)));

        Assert.Null(await store.GetAsync(key));
        await store.AssertSoundAsync();
        KeyValueStoreStatistics statistics = store.GetStatistics();
        Assert.Equal(0, statistics.OverflowPages);
        Assert.Equal(statistics.PageCount - 3, statistics.FreePages);
    }

    [Fact]
    public async Task A_source_that_fails_half_way_leaves_the_old_value()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        byte[] key = TestData.Bytes("key");
        byte[] old = TestData.Value(1, 100_000);
        await store.PutAsync(key, old);

        await Assert.ThrowsAsync<IOException>(async () => await store.PutAsync(key, new FailingStream(300_000)));

        Assert.Equal(old, await store.GetAsync(key));
        await store.AssertSoundAsync();
    }

    [Fact]
    public async Task A_value_may_grow_and_shrink_across_every_limit()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        int[] sizes = [0, 10, 1000, 1010, 5000, 200_000, 3, 900, 0, 100_000, 8000, 1];
        for (int i = 0; i < 40; i++)
        {
            await store.PutAsync(TestData.Key(i), TestData.Value(i, 600));
        }

        for (int i = 0; i < sizes.Length; i++)
        {
            await store.PutAsync(TestData.Key(20), TestData.Value(i, sizes[i]));
            Assert.Equal(TestData.Value(i, sizes[i]), await store.GetAsync(TestData.Key(20)));
            await store.AssertSoundAsync();
        }

        for (int i = 0; i < 40; i++)
        {
            Assert.Equal(i == 20 ? 1 : 600, (await store.GetAsync(TestData.Key(i)))!.Length);
        }
    }

    [Fact]
    public async Task Wrong_arguments_are_refused_with_what_is_allowed()
    {
        using TemporaryDirectory directory = new();
        await using KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        byte[] longKey = new byte[1025];

        ArgumentException exception = await Assert.ThrowsAsync<ArgumentException>("key", async () => await store.GetAsync(longKey));
        Assert.Contains("1025", exception.Message, StringComparison.Ordinal);
        Assert.Contains("1024", exception.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>("key", async () => await store.PutAsync(longKey, default(ReadOnlyMemory<byte>)));
        await Assert.ThrowsAsync<ArgumentException>("key", async () => await store.DeleteAsync(longKey));
        Assert.Throws<ArgumentException>("From", () => store.ScanAsync(new ScanOptions { From = longKey }));
        Assert.Throws<ArgumentException>("From", () => store.ScanAsync(new ScanOptions { From = new byte[] { 2 }, To = new byte[] { 1 } }));
        Assert.Throws<ArgumentOutOfRangeException>("Limit", () => store.ScanAsync(new ScanOptions { Limit = -1 }));
        await Assert.ThrowsAsync<ArgumentNullException>(async () => await store.PutAsync(default, (Stream)null!));
        await Assert.ThrowsAsync<ArgumentException>(async () => await KeyValueStore.OpenAsync(""));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>("PageSize", async () =>
            await KeyValueStore.OpenAsync(directory.File("other.kv"), new KeyValueStoreOptions { PageSize = 5000 }));
    }

    [Fact]
    public async Task Every_operation_on_a_closed_store_says_that_it_is_closed()
    {
        using TemporaryDirectory directory = new();
        KeyValueStore store = await KeyValueStore.OpenAsync(directory.File());
        await store.PutAsync(TestData.Key(1), TestData.Value(1, 10));
        IAsyncEnumerator<KeyValueEntry> scan = store.ScanAsync().GetAsyncEnumerator();
        await store.CloseAsync();
        await store.CloseAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.GetAsync(TestData.Key(1)));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.PutAsync(TestData.Key(1), TestData.Value(1, 10)));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.DeleteAsync(TestData.Key(1)));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.FlushAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.CheckAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await scan.MoveNextAsync());
        Assert.Throws<ObjectDisposedException>(() => store.ScanAsync());
        Assert.Throws<ObjectDisposedException>(() => store.TryGet(TestData.Key(1), new ArrayBufferWriter<byte>()));
    }

    [Fact]
    public async Task A_store_open_for_reading_refuses_changes()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File();
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path))
        {
            await store.PutAsync(TestData.Key(1), TestData.Value(1, 10));
        }

        byte[] before = await File.ReadAllBytesAsync(path);
        await using (KeyValueStore store = await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = true }))
        {
            Assert.Equal(TestData.Value(1, 10), await store.GetAsync(TestData.Key(1)));
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await store.PutAsync(TestData.Key(1), TestData.Value(1, 10)));
            await Assert.ThrowsAsync<InvalidOperationException>(async () => await store.DeleteAsync(TestData.Key(1)));
            await store.FlushAsync();
            await store.AssertSoundAsync();
        }

        Assert.Equal(before, await File.ReadAllBytesAsync(path));
    }

    private static ReadOnlySequence<byte> TwoPieces(byte[] value)
    {
        Segment second = new(value.AsMemory(value.Length / 3), value.Length / 3, null);
        Segment first = new(value.AsMemory(0, value.Length / 3), 0, second);
        return new ReadOnlySequence<byte>(first, 0, second, second.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long start, Segment? next)
        {
            Memory = memory;
            RunningIndex = start;
            Next = next;
        }
    }
}
