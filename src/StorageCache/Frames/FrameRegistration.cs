using System.Diagnostics;
using StorageCache.IO;
using StorageCache.Platform;

namespace StorageCache.Frames;

/// <summary>
/// Which pieces of the frames' memory are registered with the I/O engine: those all of whose frames are charged and have memory, until
/// the first of them is to lose its memory (I/O-22). Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// A piece has one word: how many of its frames have memory, and two flags. A frame is counted after it was given memory and discounted
/// before that is taken away. So while the count is full, nobody takes memory away in the piece; and who finds <see cref="Held"/> after
/// discounting a frame withdraws the piece, or waits for somebody who does, before the memory goes.
/// </para>
/// <para>
/// Registering pins up to a piece's memory, which takes a while, so a thread of the cache's own does that; it holds up nobody but those
/// who are about to take memory away from a piece that is registered.
/// </para>
/// </remarks>
internal sealed unsafe class FrameRegistration
{
    /// <summary>The piece is registered, or is being registered.</summary>
    private const int Held = 1 << 30;

    /// <summary>The piece was withdrawn, and is not registered again until <see cref="Renew"/>: it could come and go with every page.</summary>
    private const int Withdrawn = 1 << 29;

    private readonly FramePool _frames;
    private readonly IRegisteredMemory _memory;
    private readonly OwnThread _thread;
    private readonly int[] _pieces;

    /// <summary>Orders registering and withdrawing. Nothing but the kernel is called under it.</summary>
    private readonly Lock _lock = new();

    /// <param name="frames">The frames, none of which has been used.</param>
    /// <param name="memory">Where their memory is registered; begins with frame 0.</param>
    /// <param name="thread">What registers.</param>
    public FrameRegistration(FramePool frames, IRegisteredMemory memory, OwnThread thread)
    {
        Debug.Assert(frames.HighWater == 0, "every frame is counted");
        _frames = frames;
        _memory = memory;
        _thread = thread;
        _pieces = new int[memory.Pieces];
    }

    /// <summary>Bytes of frames that are registered now.</summary>
    public long Bytes => _memory.Bytes;

    /// <summary>Whether the kernel has refused to register more.</summary>
    public bool IsRefused => _memory.IsRefused;

    /// <summary>Whether a frame lies in a piece that is registered, or is being registered.</summary>
    public bool IsHeld(uint frame) => (Volatile.Read(ref _pieces[PieceOf(frame)]) & Held) != 0;

    /// <summary>Counts a frame that was charged and given memory.</summary>
    public void Activated(uint frame)
    {
        int piece = PieceOf(frame);
        if (Interlocked.Increment(ref _pieces[piece]) == FramesOf(piece))
        {
            _thread.Enqueue(new Registering(this, piece));
        }
    }

    /// <summary>
    /// Discounts a frame whose memory the caller is about to take away. Returns whether it may: whether the memory is not registered any
    /// more (I/O-22).
    /// </summary>
    public bool TryRetire(uint frame)
    {
        int piece = PieceOf(frame);
        if ((Interlocked.Decrement(ref _pieces[piece]) & Held) == 0)
        {
            return true;
        }

        lock (_lock)
        {
            if ((Volatile.Read(ref _pieces[piece]) & Held) != 0)
            {
                if (!_memory.TryWithdraw(piece))
                {
                    return false;
                }

                Interlocked.Add(ref _pieces[piece], Withdrawn - Held);
            }

            return true;
        }
    }

    /// <summary>Lets pieces that were withdrawn be registered again: there is to be more memory, not less.</summary>
    public void Renew()
    {
        for (int piece = 0; piece < _pieces.Length; piece++)
        {
            int before = Interlocked.And(ref _pieces[piece], ~Withdrawn);
            if (before == (FramesOf(piece) | Withdrawn))
            {
                _thread.Enqueue(new Registering(this, piece));
            }
        }
    }

    private int PieceOf(uint frame) => (int)(((long)frame * _frames.PageSize) >> _memory.PieceShift);

    /// <summary>The first frame of a piece. Frame 0 is none, and not charged.</summary>
    private uint FirstOf(int piece) => (uint)Math.Max(1, ((long)piece << _memory.PieceShift) / _frames.PageSize);

    private int FramesOf(int piece)
    {
        long end = Math.Min(_frames.MaximumFrames + 1L, ((piece + 1L) << _memory.PieceShift) / _frames.PageSize);
        return (int)(end - FirstOf(piece));
    }

    private void Register(int piece)
    {
        int frames = FramesOf(piece);
        lock (_lock)
        {
            // From here on whoever discounts a frame waits for the lock; whoever has before, the exchange shows.
            if (Interlocked.CompareExchange(ref _pieces[piece], frames | Held, frames) != frames)
            {
                return;
            }

            if (!_memory.TryRegister(piece, _frames.Address(FirstOf(piece)), (long)frames * _frames.PageSize))
            {
                Interlocked.And(ref _pieces[piece], ~Held);
            }
        }
    }

    private sealed class Registering(FrameRegistration registration, int piece) : IThreadPoolWorkItem
    {
        public void Execute() => registration.Register(piece);
    }
}
