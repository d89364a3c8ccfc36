using System.Diagnostics;
using StorageCache.Buffers;
using StorageCache.Frames;

namespace StorageCache.Protection;

/// <summary>
/// Write protection: a protected frame's bytes stand still for as long as anybody holds the protection, and a writer is
/// not held up: it breaks away onto a private copy. There is one break path, whoever protected the frame. Thread-safe.
/// </summary>
/// <remarks>
/// Goes back to the generic page write protection proposed for Linux in 2018; write-back is its first user. See
/// <c>docs/protection.md</c>.
/// </remarks>
internal sealed unsafe class FrameProtection
{
    private readonly CacheCore _core;

    public FrameProtection(CacheCore core) => _core = core;

    /// <summary>
    /// Protects the frame of a page that is up to date and not exclusively latched. The list lock is held. Never waits for
    /// writers, and never makes one wait.
    /// </summary>
    /// <returns>The frame, with a reference that <see cref="Unprotect"/> drops.</returns>
    public uint Protect(Slot* slot)
    {
        ulong before = StateWord.Set(slot, StateWord.Protected);
        Debug.Assert((before & (StateWord.ListLock | StateWord.UpToDate)) == (StateWord.ListLock | StateWord.UpToDate), "protection is set under the list lock (P-1)");
        uint frame = slot->Frame;
        _core.Frames.AddReference(frame);
        Interlocked.Increment(ref _core.Frames.Descriptor(frame)->Protectors);
        return frame;
    }

    /// <summary>
    /// Ends a protection. The list lock of the page that was protected is held. If a writer broke away meanwhile, the
    /// page has another frame by now and this one goes with its last reference, which the caller drops afterwards.
    /// </summary>
    public void Unprotect(Slot* slot, uint frame)
    {
        int protectors = Interlocked.Decrement(ref _core.Frames.Descriptor(frame)->Protectors);
        Debug.Assert(protectors >= 0, "protections are balanced (P-2)");
        if (slot->Frame == frame && protectors == 0)
        {
            StateWord.Clear(slot, StateWord.Protected);
        }
    }

    /// <summary>
    /// Moves an exclusively latched page from its protected frame to a private copy. Other owners and the protectors keep
    /// the old frame.
    /// </summary>
    /// <param name="slot">The page, exclusively latched by the caller.</param>
    /// <param name="copy">A frame with one reference, which becomes the page's.</param>
    /// <param name="released">The old frame; the caller drops the page's reference to it.</param>
    /// <returns>False, and nothing has changed, if the protection has ended meanwhile.</returns>
    public bool TryBreak(Slot* slot, uint copy, out uint released)
    {
        FramePool frames = _core.Frames;
        uint frame = slot->Frame;
        Debug.Assert((StateWord.Load(slot) & StateWord.Exclusive) != 0, "a page breaks away under its exclusive latch (P-3)");

        // The bytes stand still: they are protected, and the only one who could write them is here.
        Buffer.MemoryCopy(frames.Address(frame), frames.Address(copy), frames.PageSize, frames.PageSize);
        ulong state = StateWord.LockList(slot);
        released = 0;
        if ((state & StateWord.Protected) != 0)
        {
            uint head = slot->Head;
            frames.Descriptor(frame)->Owner = 0;
            frames.Descriptor(copy)->Owner = head;
            slot->Frame = copy;
            released = frame;
            _core.Counters.Broke();
        }

        StateWord.UnlockList(slot, alsoClear: StateWord.Protected);
        return released != 0;
    }
}
