using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Protection;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Protection;

/// <remarks>P-7, P-8, SH-8.</remarks>
public sealed unsafe class FrameOwnersTests
{
    private const int Frames = 100;
    private const int Heads = 4000;
    private const int Threads = 4;

    private readonly MemoryBudget _budget = new(4 << 20);
    private readonly FramePool _frames;
    private readonly HeadSlab _heads = new(Heads, hugePages: false) { Capacity = Heads };
    private readonly FrameOwners _owners;

    public FrameOwnersTests()
    {
        _frames = new FramePool(_budget, 4096, Frames, BufferHead.SizeInBytes, hugePages: false) { Capacity = Frames };
        _heads.Capacity = Heads / 2;
        _owners = new FrameOwners(_frames, _heads);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1000)]
    public void All_owners_of_a_frame_are_found_few_at_a_time(int count)
    {
        uint frame = Allocate();
        uint[] heads = [.. Enumerable.Range(0, count).Select(_ => Head())];
        Array.ForEach(heads, head => Attach(frame, head));
        Assert.Equal(count, _frames.Descriptor(frame)->OwnerCount);
        Assert.Equal(count - 1, _owners.FurtherOwners);
        Assert.Equal(count > 1 ? 1 : 0, _owners.SharedFrames);
        if (count > 1)
        {
            HashSet<uint> seen = [];
            uint[] taken = new uint[FrameOwners.TakenAtMost];
            for (int i = 0; i < count; i += taken.Length)
            {
                int some = _owners.Take(frame, taken);
                Assert.Equal(Math.Min(count, taken.Length), some);
                seen.UnionWith(taken[..some]);
            }

            Assert.Equal(heads.ToHashSet(), seen);
        }
        else
        {
            Assert.Equal(0, _owners.Take(frame, new uint[1]));
        }

        new Random(count).Shuffle(heads);
        foreach (uint head in heads)
        {
            _owners.Detach(frame, head);
            _frames.DropReference(frame);
        }

        Assert.Equal(0, _owners.FurtherOwners);
        Assert.Equal(0, _owners.SharedFrames);
        Assert.Equal(1, _frames.FreeCount);
    }

    [Fact]
    public void Further_owners_are_charged_and_given_back()
    {
        uint frame = Allocate();
        Attach(frame, Head());
        long before = _budget.Used;
        uint[] heads = [.. Enumerable.Range(0, 1000).Select(_ => Head())];
        Array.ForEach(heads, head => Attach(frame, head));
        Assert.InRange(_budget.Used - before, 1000 * BufferHead.SizeInBytes, 1100 * BufferHead.SizeInBytes);
        foreach (uint head in heads)
        {
            _owners.Detach(frame, head);
            _frames.DropReference(frame);
        }

        Assert.InRange(_budget.Used - before, 0, 3 * 64 * BufferHead.SizeInBytes);
    }

    [Fact]
    public void Without_room_there_is_no_further_owner_and_nothing_has_changed()
    {
        uint frame = Allocate();
        Attach(frame, Head());
        _frames.AddReference(frame);
        Assert.False(_owners.TryAttach(frame, Head()));
        Assert.Equal(1, _frames.Descriptor(frame)->OwnerCount);
        Assert.Equal(0, _owners.FurtherOwners);
    }

    [Fact]
    public void An_owner_that_cannot_move_stays_where_it_is()
    {
        uint from = Allocate();
        uint to = Allocate();
        uint mover = Head();
        Attach(from, mover);
        Attach(to, Head());
        _frames.AddReference(to);
        Assert.False(_owners.TryMove(from, to, mover));
        Assert.Equal(mover, _frames.Descriptor(from)->Owner);
        Assert.Equal(1, _frames.Descriptor(from)->OwnerCount);
        Assert.Equal(1, _frames.Descriptor(to)->OwnerCount);

        Assert.True(_owners.TryProvide());
        Assert.True(_owners.TryMove(from, to, mover));
        Assert.Equal(0u, _frames.Descriptor(from)->Owner);
        Assert.Equal(0, _frames.Descriptor(from)->OwnerCount);
        Assert.Equal(2, _frames.Descriptor(to)->OwnerCount);
        Assert.Equal(1, _owners.FurtherOwners);
        Assert.Equal(1, _owners.SharedFrames);
    }

    [Fact]
    public void An_owner_moves_to_a_frame_that_has_lost_its_own()
    {
        uint from = Allocate();
        uint to = Allocate();
        uint mover = Head();
        uint other = Head();
        Attach(from, mover);
        Attach(from, other);
        Assert.True(_owners.TryMove(from, to, mover));
        Assert.Equal(other, _frames.Descriptor(from)->Owner);
        Assert.Equal(mover, _frames.Descriptor(to)->Owner);
        Assert.Equal(1, _frames.Descriptor(to)->OwnerCount);
        Assert.Equal(0, _owners.FurtherOwners);
        Assert.Equal(0, _owners.SharedFrames);
    }

    /// <remarks>Owners come and go, as many as the room has pieces; the ring is what they say.</remarks>
    [Fact]
    public void Many_come_go_move_and_look_at_once()
    {
        uint[] frames = [Allocate(), Allocate(), Allocate()];
        Assert.True(_owners.TryProvide());
        Together.Run(Threads, Work);
        Assert.Equal(0, _owners.FurtherOwners);
        Assert.Equal(0, _owners.SharedFrames);
        foreach (uint frame in frames)
        {
            Assert.Equal(0, _frames.Descriptor(frame)->OwnerCount);
            Assert.Equal(0u, _frames.Descriptor(frame)->Owner);
            Assert.Equal(0u, _frames.Descriptor(frame)->Marks);
            Assert.Equal(1, _frames.Descriptor(frame)->References);
        }

        void Work(int thread)
        {
            Random random = new(thread);
            List<(uint Frame, uint Head)> mine = [];
            Span<uint> taken = stackalloc uint[FrameOwners.TakenAtMost];
            for (int i = 0; i < 20_000; i++)
            {
                uint frame = frames[random.Next(frames.Length)];
                switch (random.Next(5))
                {
                    case 0 or 1 when mine.Count < 100:
                        uint head = Head();
                        _frames.AddReference(frame);
                        if (_owners.TryAttach(frame, head))
                        {
                            mine.Add((frame, head));
                        }
                        else
                        {
                            _frames.DropReference(frame);
                            _heads.Free(head);
                            _owners.TryProvide();
                        }

                        break;
                    case 2 when mine.Count > 0:
                        int index = random.Next(mine.Count);
                        _frames.AddReference(frame);
                        bool isMoved = mine[index].Frame != frame && _owners.TryMove(mine[index].Frame, frame, mine[index].Head);
                        _frames.DropReference(isMoved ? mine[index].Frame : frame);
                        mine[index] = isMoved ? (frame, mine[index].Head) : mine[index];
                        break;
                    case 3 when mine.Count > 0:
                        Leave(mine[^1]);
                        mine.RemoveAt(mine.Count - 1);
                        break;
                    default:
                        int count = _owners.Take(frame, taken);
                        for (int other = 0; other < count; other++)
                        {
                            Assert.InRange(taken[other], 1u, _heads.HighWater);
                        }

                        break;
                }
            }

            mine.ForEach(Leave);
        }

        void Leave((uint Frame, uint Head) owner)
        {
            _owners.Detach(owner.Frame, owner.Head);
            _frames.DropReference(owner.Frame);
            _heads.Free(owner.Head);
        }
    }

    private uint Allocate()
    {
        uint frame = _frames.TryAllocate(forBreak: true);
        Assert.NotEqual(0u, frame);
        return frame;
    }

    private uint Head()
    {
        uint head = _heads.TryAllocate(null, 0, 1);
        Assert.NotEqual(0u, head);
        return head;
    }

    private void Attach(uint frame, uint head)
    {
        if (_frames.Descriptor(frame)->OwnerCount != 0)
        {
            _frames.AddReference(frame);
            Assert.True(_owners.TryProvide());
        }

        Assert.True(_owners.TryAttach(frame, head));
    }
}
