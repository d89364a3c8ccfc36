using System.Diagnostics;
using StorageCache.Buffers;
using StorageCache.Frames;

namespace StorageCache.Protection;

/// <summary>
/// Who owns a frame: the buffer heads whose pages have its bytes, linked in a ring that the frame's descriptor points into, so that
/// reclaim finds them from the frame alone. Thread-safe; the lock of a frame's ring is a leaf, and is held for one change or for a
/// look at <see cref="TakenAtMost"/> owners (P-8).
/// </summary>
internal sealed unsafe class FrameOwners
{
    /// <summary>The most owners that are looked at under one hold of the lock.</summary>
    public const int TakenAtMost = 64;

    private readonly FramePool _frames;
    private readonly HeadSlab _heads;
    private readonly MetadataRoom _room;
    private int _sharedFrames;
    private uint _decoy;
    private int _decoyCount;

    public FrameOwners(FramePool frames, HeadSlab heads)
    {
        _frames = frames;
        _heads = heads;
        _room = new MetadataRoom(frames, BufferHead.SizeInBytes);
    }

    /// <summary>Frames that have two owners or more.</summary>
    public int SharedFrames => Volatile.Read(ref _sharedFrames);

    /// <summary>Owners beside the first of each frame: pages in memory that take no frame of their own.</summary>
    public int FurtherOwners => _heads.Further;

    /// <summary>
    /// Sees that there is room for another owner of a frame that has one: each frame is charged for one head. No lock is held.
    /// </summary>
    public bool TryProvide() => _heads.Limit < _heads.Maximum && _room.TryProvide();

    /// <summary>
    /// Makes a head the owner of a frame. The caller's reference becomes the owner's. Returns false, and changes nothing, if the frame
    /// has an owner and there is no room for another.
    /// </summary>
    public bool TryAttach(uint frame, uint head)
    {
        FrameDescriptor* descriptor = _frames.Descriptor(frame);
        if (IsCallersAlone(descriptor))
        {
            Debug.Assert(descriptor->OwnerCount == 0, "a frame with one reference is its owner's, or the caller's");
            Volatile.Write(ref descriptor->Owner, head);
            descriptor->OwnerCount = 1;
            return true;
        }

        Lock(descriptor);
        bool isAttached = descriptor->Owner == 0 || _room.TryTake();
        if (isAttached)
        {
            Attach(descriptor, head);
        }

        Unlock(descriptor);
        return isAttached;
    }

    /// <summary>
    /// Makes an owner of one frame the owner of another. The caller's reference to that becomes the owner's, and the owner's to the first
    /// the caller's, to be dropped afterwards. Returns false, and changes nothing, if there is no room.
    /// </summary>
    public bool TryMove(uint from, uint to, uint head)
    {
        // Before it leaves: others may come to own the first frame meanwhile, and then there is no way back without room.
        if (!_room.TryTake())
        {
            return false;
        }

        Detach(from, head);
        FrameDescriptor* descriptor = _frames.Descriptor(to);
        Lock(descriptor);
        if (descriptor->Owner == 0)
        {
            _room.Return();
        }

        Attach(descriptor, head);
        Unlock(descriptor);
        return true;
    }

    /// <summary>Takes an owner away from a frame. The caller drops its reference afterwards.</summary>
    public void Detach(uint frame, uint head)
    {
        FrameDescriptor* descriptor = _frames.Descriptor(frame);
        if (IsCallersAlone(descriptor))
        {
            Debug.Assert(descriptor->Owner == head && descriptor->OwnerCount == 1, "an owner is detached once (P-7)");
            descriptor->OwnerCount = 0;
            Volatile.Write(ref descriptor->Owner, 0);
            return;
        }

        DetachLocked(descriptor, head);
    }

    /// <summary>
    /// As <see cref="Detach"/>, in a time that does not tell whether the frame has another owner: by the same lock, and with as many
    /// looks at heads that are likely to be far away and changes of counters (SH-9).
    /// </summary>
    public void DetachEvenly(uint frame, uint head)
    {
        if (DetachLocked(_frames.Descriptor(frame), head) > 0)
        {
            return;
        }

        // In place of the neighbours in the ring, one as a rule, and of what is counted when one leaves it.
        uint decoy = (uint)(Interlocked.Add(ref _decoy, 0x9E37_79B9) % _heads.HighWater) + 1;
        Interlocked.Add(ref _heads[decoy]->OwnerNext, 0);
        Interlocked.Add(ref _heads[decoy]->OwnerPrevious, 0);
        _heads.AddFurther(0);
        Interlocked.Add(ref _decoyCount, 0);
        Interlocked.Add(ref _sharedFrames, 0);
    }

    /// <summary>Takes an owner away under the lock. Returns how many are left.</summary>
    private int DetachLocked(FrameDescriptor* descriptor, uint head)
    {
        Lock(descriptor);
        int left = --descriptor->OwnerCount;
        Debug.Assert(left >= 0 && (left > 0 || descriptor->Owner == head), "an owner is detached once (P-7)");
        if (left == 0)
        {
            Volatile.Write(ref descriptor->Owner, 0);
        }
        else
        {
            if (descriptor->Owner == head)
            {
                Volatile.Write(ref descriptor->Owner, _heads[head]->OwnerNext);
            }

            Unlink(head);
            _heads.AddFurther(-1);
            _room.Return();
            if (left == 1)
            {
                Interlocked.Decrement(ref _sharedFrames);
            }
        }

        Unlock(descriptor);
        return left;
    }

    /// <summary>
    /// Copies some owners of a frame out that has several, and turns the ring so that the next call begins behind them. They may have
    /// gone when this returns.
    /// </summary>
    /// <returns>How many owners were copied.</returns>
    public int Take(uint frame, Span<uint> owners)
    {
        Debug.Assert(owners.Length <= TakenAtMost, "the lock of a ring is not held for long (P-8)");
        FrameDescriptor* descriptor = _frames.Descriptor(frame);
        Lock(descriptor);
        int all = descriptor->OwnerCount;
        int count = 0;
        if (all > 1)
        {
            uint next = descriptor->Owner;
            for (; count < all && count < owners.Length; count++)
            {
                owners[count] = next;
                next = _heads[next]->OwnerNext;
            }

            // The ring of a frame with fewer owners may be changed at this moment by one who needs no lock.
            Volatile.Write(ref descriptor->Owner, next);
        }

        Unlock(descriptor);
        return count;
    }

    /// <summary>
    /// Whether nobody but the caller, who has the frame's only reference and keeps it out of the indexes, can come to the frame's
    /// owners.
    /// </summary>
    private static bool IsCallersAlone(FrameDescriptor* descriptor) => FramePool.IsAloneWith(descriptor, references: 1);

    /// <summary>Adds an owner to a ring that is locked. If it has others, the room has been taken.</summary>
    private void Attach(FrameDescriptor* descriptor, uint head)
    {
        uint first = descriptor->Owner;
        if (first == 0)
        {
            Volatile.Write(ref descriptor->Owner, head);
        }
        else
        {
            Link(head, first, descriptor->OwnerCount == 1);
            _heads.AddFurther(+1);
        }

        if (++descriptor->OwnerCount == 2)
        {
            Interlocked.Increment(ref _sharedFrames);
        }
    }

    private void Link(uint head, uint first, bool isSecond)
    {
        BufferHead* added = _heads[head];
        BufferHead* front = _heads[first];

        // An only owner has no links: it was attached without a lock.
        uint last = isSecond ? first : front->OwnerPrevious;
        added->OwnerNext = first;
        added->OwnerPrevious = last;
        _heads[last]->OwnerNext = head;
        front->OwnerPrevious = head;
    }

    private void Unlink(uint head)
    {
        BufferHead* gone = _heads[head];
        _heads[gone->OwnerPrevious]->OwnerNext = gone->OwnerNext;
        _heads[gone->OwnerNext]->OwnerPrevious = gone->OwnerPrevious;
        gone->OwnerNext = 0;
        gone->OwnerPrevious = 0;
    }

    private static void Lock(FrameDescriptor* descriptor)
    {
        SpinWait spin = default;
        while ((Interlocked.Or(ref descriptor->Marks, FrameMarks.OwnersLock) & FrameMarks.OwnersLock) != 0)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private static void Unlock(FrameDescriptor* descriptor) => Interlocked.And(ref descriptor->Marks, ~FrameMarks.OwnersLock);
}
