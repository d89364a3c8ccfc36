using StorageCache.Frames;
using StorageCache.Platform;
using Xunit;

namespace StorageCache.Tests.Frames;

/// <summary>I/O-22: which pieces of the frames' memory are registered, and when. Four pieces of 32 frames; the first lacks frame 0.</summary>
public sealed unsafe class FrameRegistrationTests : IDisposable
{
    private const int Page = 65536;
    private const int PerPiece = 32;
    private const int Frames = (4 * PerPiece) - 1;

    private readonly OwnThread _thread = new("registers", BackgroundThreads.Instance);
    private readonly ScriptedMemory _memory = new(4);
    private readonly FramePool _pool;
    private readonly FrameRegistration _registration;

    public FrameRegistrationTests()
    {
        _pool = new FramePool(new MemoryBudget(1 << 30), Page, Frames, headBytes: 64, hugePages: false) { Capacity = Frames };
        _registration = new FrameRegistration(_pool, _memory, _thread);
        _pool.ReportTo(_registration);
        _thread.Start();
    }

    public void Dispose() => _thread.Stop();

    [Fact]
    public void A_piece_is_registered_once_all_its_frames_have_memory_and_no_frame_that_is_not_charged()
    {
        Allocate(PerPiece - 2);
        Assert.Equal([false, false, false, false], Registered());
        Allocate(1);
        Assert.Equal([true, false, false, false], Registered());
        Assert.Equal((nint)_pool.Address(1), _memory.StartOf);
        Assert.Equal((PerPiece - 1) * Page, _memory.LengthOf(0));
        Allocate(PerPiece);
        Assert.Equal([true, true, false, false], Registered());
        Assert.Equal((nint)_pool.Address(PerPiece), _memory.StartOf);
        Assert.Equal(PerPiece * Page, _memory.LengthOf(1));
        Assert.True(_memory.Bytes <= _pool.Active * (long)Page);
    }

    [Fact]
    public void A_piece_is_withdrawn_before_the_first_of_its_frames_loses_its_memory_and_only_then()
    {
        uint[] frames = Allocate(PerPiece - 1);
        Assert.Equal([true, false, false, false], Registered());
        List<bool> hadAllItsMemory = [];
        _memory.Withdrawing = _ => hadAllItsMemory.Add(Array.TrueForAll(frames, frame => *_pool.Address(frame) == 0xaa));
        _pool.Retire(frames[5]);
        Assert.Equal([true], hadAllItsMemory);
        Assert.Equal(0, *_pool.Address(frames[5]));
        Assert.Equal([false, false, false, false], Registered());
        _pool.Retire(frames[6]);
        Assert.Equal(1, _memory.Withdrawals);
    }

    [Fact]
    public void What_cannot_be_withdrawn_keeps_its_memory()
    {
        uint[] frames = Allocate(PerPiece - 1);
        Assert.Equal([true, false, false, false], Registered());
        _memory.RefusesToWithdraw = true;
        _pool.Retire(frames[5]);
        _pool.Retire(frames[6]);
        Assert.Equal(0xaa, *_pool.Address(frames[5]));
        Assert.Equal(0xaa, *_pool.Address(frames[6]));
        _memory.RefusesToWithdraw = false;
        _pool.Retire(frames[7]);
        Assert.Equal(0, *_pool.Address(frames[7]));
        Assert.Equal([false, false, false, false], Registered());
    }

    [Fact]
    public void What_the_kernel_refuses_to_register_is_not_withdrawn()
    {
        _memory.IsRefused = true;
        uint[] frames = Allocate(Frames);
        Assert.Equal([false, false, false, false], Registered());
        Array.ForEach(frames, _pool.Retire);
        Assert.Equal(0, _memory.Withdrawals);
        Assert.Equal(0, *_pool.Address(frames[0]));
    }

    [Fact]
    public void A_piece_that_was_withdrawn_is_registered_again_only_when_there_is_to_be_more_memory()
    {
        uint[] frames = Allocate(Frames);
        Assert.Equal([true, true, true, true], Registered());
        _pool.Retire(frames[3]);
        _pool.Retire(frames[PerPiece + 3]);
        Assert.Equal([false, false, true, true], Registered());
        Allocate(1);
        _registration.Renew();
        Allocate(1);
        Assert.Equal([true, true, true, true], Registered());

        _pool.Retire(frames[3]);
        Allocate(1);
        Assert.Equal([false, true, true, true], Registered());
        _registration.Renew();
        Assert.Equal([true, true, true, true], Registered());
    }

    [Fact]
    public void Frames_that_lose_their_memory_gather_in_few_pieces()
    {
        // Two are free in each piece, and the last piece is withdrawn: of all that are free, its two are to go first.
        uint[] frames = Allocate(Frames);
        Assert.Equal([true, true, true, true], Registered());
        for (int piece = 0; piece < 4; piece++)
        {
            _pool.DropReference(frames[piece * PerPiece]);
            _pool.DropReference(frames[(piece * PerPiece) + 1]);
        }

        _pool.Retire(frames[^1]);
        Assert.Equal([true, true, true, false], Registered());
        Assert.Equal(2, _pool.RetireFree(2));
        Assert.Equal([true, true, true, false], Registered());
        Assert.Equal(6, _pool.FreeCount);

        // The next has nowhere else to go.
        Assert.Equal(1, _pool.RetireFree(1));
        Assert.Equal(2, _memory.Withdrawals);
        Assert.Equal(Frames - 4, _pool.Active);
    }

    [Fact]
    public void A_frame_that_is_retired_while_its_piece_is_being_registered_waits_and_withdraws_it()
    {
        using ManualResetEventSlim registering = new();
        using ManualResetEventSlim mayRegister = new();
        _memory.Registering = _ =>
        {
            registering.Set();
            mayRegister.Wait();
        };
        uint[] frames = Allocate(PerPiece - 1);
        registering.Wait();
        Thread retiring = new(() => _pool.Retire(frames[0]));
        retiring.Start();
        try
        {
            Harness.Wait.Until(() => retiring.ThreadState.HasFlag(ThreadState.WaitSleepJoin), "the frame's turn");
            Assert.Equal(0xaa, *_pool.Address(frames[0]));
        }
        finally
        {
            mayRegister.Set();
            retiring.Join();
        }

        Assert.Equal(1, _memory.Withdrawals);
        Assert.Equal([false, false, false, false], Registered());
        Assert.Equal(0, *_pool.Address(frames[0]));
    }

    [Fact]
    public void A_piece_that_loses_a_frame_before_its_turn_comes_is_not_registered()
    {
        using ManualResetEventSlim busy = new();
        _thread.Post(_ => busy.Wait(), null);
        uint[] frames = Allocate(PerPiece - 1);
        _pool.Retire(frames[0]);
        busy.Set();
        Assert.Equal([false, false, false, false], Registered());
        Assert.Equal(0, _memory.Withdrawals);
        Allocate(1);
        Assert.Equal([true, false, false, false], Registered());
    }

    /// <summary>Takes frames and fills them.</summary>
    private uint[] Allocate(int count)
    {
        uint[] frames = new uint[count];
        for (int i = 0; i < count; i++)
        {
            frames[i] = _pool.TryAllocate(forBreak: true);
            Assert.NotEqual(0u, frames[i]);
            new Span<byte>(_pool.Address(frames[i]), Page).Fill(0xaa);
        }

        return frames;
    }

    /// <summary>What is registered when all that is under way has ended.</summary>
    private bool[] Registered()
    {
        using ManualResetEventSlim reached = new();
        _thread.Post(_ => reached.Set(), null);
        reached.Wait();
        return _memory.Registered;
    }
}
