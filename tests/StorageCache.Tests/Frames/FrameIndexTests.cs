using StorageCache.Frames;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Frames;

/// <remarks>F-10.</remarks>
public sealed unsafe class FrameIndexTests
{
    private const int Frames = 200;
    private const int Threads = 4;

    private readonly FramePool _frames = new(new MemoryBudget(64 << 20), 4096, Frames, headBytes: 64, hugePages: false) { Capacity = Frames };
    private readonly FrameIndex _index;

    public FrameIndexTests()
    {
        _index = new FrameIndex(_frames, FrameMarks.ByContent);
        _frames.FindBy([_index]);
        Assert.Equal(0u, _index.TryTake(KeyOf(1)));
        Assert.False(_index.TryProvide());
        Assert.True(_frames.TryTakeRoom(FrameIndex.BucketBytesFor(1)));
        Assert.True(_index.TryActivate(1));
    }

    [Fact]
    public void A_frame_is_found_by_its_whole_key_until_it_is_removed()
    {
        Assert.True(_index.TryProvide());
        uint frame = Allocate();
        FrameKey key = new(1, 2, 3);
        Assert.True(_index.TryInsert(frame, key));
        Assert.Equal(1, _index.Count);
        Assert.True(_index.IsConsistent(frame));
        Assert.Equal(frame, _index.TryTake(key));
        Assert.Equal(2, _frames.Descriptor(frame)->References);
        Assert.Equal(0u, _index.TryTake(key with { Low = 0 }));
        Assert.Equal(0u, _index.TryTake(key with { High = 0 }));
        Assert.Equal(0u, _index.TryTake(key with { Tag = 0 }));
        _index.Remove(frame);
        _index.Remove(frame);
        Assert.Equal(0u, _index.TryTake(key));
        Assert.Equal(0, _index.Count);
    }

    [Fact]
    public void One_frame_is_found_by_a_key_and_one_key_finds_a_frame()
    {
        Assert.True(_index.TryProvide());
        uint first = Allocate();
        uint second = Allocate();
        Assert.True(_index.TryInsert(first, KeyOf(1)));
        Assert.False(_index.TryInsert(second, KeyOf(1)));
        Assert.False(_index.TryInsert(first, KeyOf(2)));
        Assert.Equal(1, _index.Count);
        Assert.Equal(0u, _frames.Descriptor(second)->Marks);
        Assert.True(_index.TryInsert(second, KeyOf(2)));
        Assert.Equal(first, _index.TryTake(KeyOf(1)));
    }

    [Fact]
    public void A_frame_that_is_freed_leaves_and_its_room_comes_back()
    {
        for (int round = 0; round < 1000; round++)
        {
            Assert.True(_index.TryProvide());
            uint frame = Allocate();
            Assert.True(_index.TryInsert(frame, KeyOf(round)));
            Assert.True(_frames.DropReference(frame));
            Assert.Equal(0u, _index.TryTake(KeyOf(round)));
        }

        Assert.Equal(0, _index.Count);
        Assert.True(_index.Bytes <= 64 * sizeof(uint) + (64 * 3 * 24), $"{_index.Bytes} bytes are charged");
    }

    [Fact]
    public void Without_room_nothing_is_put_in()
    {
        int inserted = 0;
        Assert.True(_index.TryProvide());
        while (_index.TryInsert(Allocate(), KeyOf(inserted)))
        {
            inserted++;
        }

        Assert.Equal(64, inserted);
        Assert.Equal(64, _index.Count);
        Assert.True(_index.TryProvide());
        Assert.True(_index.TryInsert(Allocate(), KeyOf(inserted)));
    }

    /// <remarks>Two owners of one frame may have it found by different extents at the same time, each under a lock of its own.</remarks>
    [Fact]
    public void Of_several_who_put_one_frame_in_at_once_one_succeeds()
    {
        for (int round = 0; round < 1000; round++)
        {
            uint frame = Allocate();
            Assert.True(_index.TryProvide());
            int succeeded = 0;
            Together.Run(Threads, thread =>
            {
                if (_index.TryInsert(frame, KeyOf((round * Threads) + thread)))
                {
                    Interlocked.Increment(ref succeeded);
                }
            });
            Assert.Equal(1, succeeded);
            Assert.Equal(1, _index.Count);
            Assert.True(_index.IsConsistent(frame));
            Assert.Equal(1, Enumerable.Range(round * Threads, Threads).Count(key => Finds(KeyOf(key), frame)));
            Assert.True(_frames.DropReference(frame));
            Assert.Equal(0, _index.Count);
            Assert.DoesNotContain(Enumerable.Range(round * Threads, Threads), key => Finds(KeyOf(key), frame));
        }
    }

    /// <remarks>Keys of few chains, so that neighbours in a chain come and go all the time.</remarks>
    [Fact]
    public void Whoever_finds_a_frame_has_the_bytes_that_belong_to_the_key()
    {
        FrameKey[] keys = [.. Enumerable.Range(0, int.MaxValue).Select(KeyOf).Where(key => (key.Spread & 63) < 2).Take(24)];
        long found = 0;
        Together.Run(Threads, thread =>
        {
            Random random = new(thread);
            for (int i = 0; i < 20_000; i++)
            {
                FrameKey key = keys[random.Next(keys.Length)];
                uint frame = _index.TryTake(key);
                if (frame != 0)
                {
                    ulong low = Volatile.Read(ref *(ulong*)_frames.Address(frame));
                    Assert.True(low == key.Low, $"a frame with {low} was found by {key.Low}");
                    Interlocked.Increment(ref found);
                    if (random.Next(4) == 0)
                    {
                        _index.Remove(frame);
                    }

                    _frames.DropReference(frame);
                    continue;
                }

                frame = _frames.TryAllocate(forBreak: true);
                if (frame != 0)
                {
                    *(ulong*)_frames.Address(frame) = key.Low;
                    _index.TryProvide();
                    _index.TryInsert(frame, key);
                    Thread.SpinWait(random.Next(200));
                    *(ulong*)_frames.Address(frame) = key.Low;
                    _frames.DropReference(frame);
                }
            }
        });
        Assert.True(found > 0);
        Assert.Equal(0, _index.Count);
        Assert.Equal(_frames.Active, _frames.FreeCount);
        Assert.All(keys, key => Assert.Equal(0u, _index.TryTake(key)));
    }

    /// <remarks>The key of an entry is read without a lock by who removes it, and may be half of one and half of another.</remarks>
    [Fact]
    public void A_frame_is_removed_while_it_comes_and_goes_under_ever_other_keys()
    {
        uint frame = Allocate();
        Assert.True(_index.TryProvide());
        Together.Run(Threads, thread =>
        {
            for (int i = 0; i < 30_000; i++)
            {
                if (thread < 2)
                {
                    _index.TryInsert(frame, new FrameKey((ulong)i, (ulong)(i * 7), (uint)i));
                }
                else
                {
                    _index.Remove(frame);
                }
            }
        });
        _index.Remove(frame);
        Assert.Equal(0, _index.Count);
        Assert.Equal(1, _frames.Descriptor(frame)->References);
        Assert.Equal(0u, _frames.Descriptor(frame)->Marks);
        for (int i = 0; i < 30_000; i++)
        {
            Assert.Equal(0u, _index.TryTake(new FrameKey((ulong)i, (ulong)(i * 7), (uint)i)));
        }
    }

    private static FrameKey KeyOf(int number) => new((ulong)number, High: 5, Tag: 1);

    private uint Allocate()
    {
        uint frame = _frames.TryAllocate(forBreak: true);
        Assert.NotEqual(0u, frame);
        return frame;
    }

    private bool Finds(in FrameKey key, uint frame)
    {
        uint found = _index.TryTake(key);
        if (found != 0)
        {
            _frames.DropReference(found);
        }

        return found == frame;
    }
}
