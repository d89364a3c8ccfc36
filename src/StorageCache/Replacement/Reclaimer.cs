using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Platform;
using StorageCache.Protection;
using StorageCache.Waiting;

namespace StorageCache.Replacement;

/// <summary>
/// Takes pages out of memory: a hand that goes round all frames, from frame to owner to state word, and a thread of its
/// own that keeps some frames free, so that a miss seldom waits for an eviction. Thread-safe.
/// </summary>
/// <typeparam name="TPolicy">What decides which pages go.</typeparam>
internal sealed unsafe class Reclaimer<TPolicy> : IReclaimer, IBackgroundWork
    where TPolicy : struct, IReplacementPolicy
{
    private const int FramesPerStep = 16;
    private const int DirectStepsAtMost = 32;

    /// <summary>Owners of one frame that are asked at most when the hand comes by.</summary>
    private const int OwnersPerVisit = 1024;

    /// <summary>Frames looked at before somebody's patience is looked at again.</summary>
    private const int FramesPerSlice = 1 << 16;

    /// <summary>Turns in vain after which those who come to ask for frames do not cause another.</summary>
    private const int PatientTurns = 3;

    /// <summary>A turn in vain is followed by a rest of at least so many times its length.</summary>
    private const int RestsPerTurn = 8;

    private const int LongestDoublings = 4;
    private static readonly TimeSpan s_shortestRest = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan s_grain = TimeSpan.FromMilliseconds(1);

    private readonly CacheCore _core;
    private readonly TimeProvider _clock;
    private readonly IBackgroundThread _thread;
    private readonly TPolicy _policy;
    private uint _hand;
    private uint _evictionSequence;
    private int _kicked;
    private int _turnsInVain;

    /// <summary>When the rest ends, in time stamps of the clock.</summary>
    private long _restEnd;
    private long _looked;
    private volatile bool _stopping;

    public Reclaimer(CacheCore core, TPolicy policy)
    {
        _core = core;
        _policy = policy;
        _clock = core.Options.Threads.Clock;
        _thread = core.Options.Threads.Create("StorageCache reclaim", this);
    }

    private int LowWatermark => Math.Clamp(_core.FrameCapacity / 64, 2, 1024) + _core.Frames.Reserve;

    private int HighWatermark => LowWatermark + Math.Clamp(_core.FrameCapacity / 64, 2, 1024);

    private bool HasWork => _core.FrameQueue.Count > 0 || _core.Frames.Excess > 0;

    /// <summary>
    /// Whether turns have brought nothing lately: everything is latched, pinned or dirty. A release of a latch or pin does not
    /// look at who waits for frames (that would cost every hit), so the next turn comes by the clock.
    /// </summary>
    private bool IsResting => Volatile.Read(ref _turnsInVain) >= PatientTurns && _clock.GetTimestamp() < Volatile.Read(ref _restEnd);

    /// <inheritdoc/>
    public long Looked => Volatile.Read(ref _looked);

    /// <inheritdoc/>
    public long Spare => _core.Frames.Available - LowWatermark;

    /// <inheritdoc/>
    public void Start() => _thread.Start();

    /// <inheritdoc/>
    public void Stop()
    {
        _stopping = true;
        _thread.End();
    }

    /// <inheritdoc/>
    public void Balance()
    {
        if (Spare < 0 && !IsResting)
        {
            Call();
        }
    }

    /// <inheritdoc/>
    public void Kick()
    {
        Volatile.Write(ref _turnsInVain, 0);

        // What the caller has left to be done is seen by a turn that begins from here on.
        Interlocked.MemoryBarrier();
        Call();
    }

    /// <inheritdoc/>
    public void Call()
    {
        if (Volatile.Read(ref _kicked) == 0 && Interlocked.Exchange(ref _kicked, 1) == 0 && !_stopping)
        {
            _thread.Wake();
        }
    }

    /// <inheritdoc/>
    public ulong ReferenceAfterFault(uint shadow)
    {
        if (shadow == 0)
        {
            return 0;
        }

        uint distance = Volatile.Read(ref _evictionSequence) - shadow;
        ulong reference = _policy.AfterRefault(distance, _core.FrameCapacity);
        if (reference != 0)
        {
            _core.Counters.Refaulted();
        }

        return reference;
    }

    /// <inheritdoc/>
    public int Evict(int wanted)
    {
        bool sawDirty = false;
        int evicted = Sweep(wanted, DirectStepsAtMost * FramesPerStep, ref sawDirty);
        if (evicted > 0 && Volatile.Read(ref _turnsInVain) != 0)
        {
            Volatile.Write(ref _turnsInVain, 0);
        }

        return evicted;
    }

    /// <inheritdoc/>
    public ulong ReferenceOfPrefetched => _policy.OfPrefetched;

    /// <inheritdoc/>
    public bool TryEvict(Slot* slot, bool onlyPassed)
    {
        ulong state = StateWord.Load(slot);
        return StateWord.IsEvictable(state)
            && ((state & StateWord.Protected) == 0 || !FrameHolds.IsHeld(_core.Frames.Descriptor(slot->Frame)))
            && (!onlyPassed || (state & StateWord.Prefetched) != 0)
            && StateWord.TryChange(slot, state, state | StateWord.Exclusive | StateWord.ListLock)
            && TryRemove(slot, state, shadow: 0);
    }

    /// <summary>Until there is something to do, or the next turn is due, or somebody's patience ends.</summary>
    TimeSpan IBackgroundWork.Rest
    {
        get
        {
            if (!HasWork)
            {
                return Timeout.InfiniteTimeSpan;
            }

            TimeSpan left = _clock.GetElapsedTime(_clock.GetTimestamp(), _restEnd);
            TimeSpan rest = left > s_grain ? left : s_grain;
            TimeSpan patience = _core.FrameQueue.Patience;
            return patience < rest ? patience + s_grain : rest;
        }
    }

    /// <inheritdoc/>
    bool IBackgroundWork.TakeTurn(bool woken)
    {
        Interlocked.Exchange(ref _kicked, 0);
        _core.Protection.LateDrops.Drop();
        _core.FrameQueue.RetryDueBreaks();
        _core.FrameQueue.Pump();
        _core.FrameQueue.ExpireDue();
        if (!_stopping && !IsResting)
        {
            Refill();
        }

        return !_stopping;
    }

    /// <summary>
    /// Lets a rest follow on a turn: longer from turn to turn, if they are in vain, and in proportion to what a turn takes.
    /// </summary>
    private void EndTurn(long began)
    {
        long now = _clock.GetTimestamp();
        int turns = Math.Min(_turnsInVain + 1, PatientTurns + LongestDoublings);
        Volatile.Write(ref _turnsInVain, turns);
        long shortest = (long)(s_shortestRest.TotalSeconds * _clock.TimestampFrequency) << Math.Max(0, turns - PatientTurns);
        Volatile.Write(ref _restEnd, now + Math.Max(shortest, (now - began) * RestsPerTurn));
    }

    /// <summary>Evicts until enough frames are free, or a whole turn of the clock in both bits has brought nothing.</summary>
    private void Refill()
    {
        _core.TrimEmptyLeaves();
        while (!_stopping && (_core.Frames.Available < HighWatermark || HasWork))
        {
            _core.Frames.RetireFree(Math.Min(_core.Frames.Excess, FramesPerStep));

            _core.Protection.LateDrops.Drop();

            // No more than is missing: in a small cache a few steps more would empty it.
            long began = _clock.GetTimestamp();
            long missing = HighWatermark - _core.Frames.Available + _core.FrameQueue.Count + _core.Frames.Excess;
            int evicted = Turn((int)Math.Clamp(missing, 1, FramesPerStep * 4), out bool sawDirty);
            if (sawDirty && (evicted == 0 || _core.WriteBack.IsAboveBackground))
            {
                _core.WriteBack.Kick(urgent: true);
            }

            _core.FrameQueue.RetryDueBreaks();
            _core.FrameQueue.Pump();
            _core.FrameQueue.ExpireDue();
            if (evicted == 0)
            {
                // Everything is latched, pinned or on its way to the device; writes that complete kick us again.
                EndTurn(began);
                return;
            }

            Volatile.Write(ref _turnsInVain, 0);
        }
    }

    /// <summary>
    /// Goes round three times at most, until something has been evicted. Of a large cache that takes a while, so it looks up in
    /// between: at those whose patience ends, and at the end of the cache.
    /// </summary>
    private int Turn(int wanted, out bool sawDirty)
    {
        sawDirty = false;
        int evicted = 0;
        long left = 3L * _core.Frames.HighWater;
        while (left > 0 && evicted == 0 && !_stopping)
        {
            long slice = Math.Min(left, FramesPerSlice);
            evicted = Sweep(wanted, slice, ref sawDirty);
            Volatile.Write(ref _looked, _looked + slice);
            left -= slice;
            _core.FrameQueue.ExpireDue();
        }

        return evicted;
    }

    private int Sweep(int wanted, long looksAtMost, ref bool sawDirty)
    {
        int evicted = 0;
        uint frames = _core.Frames.HighWater;
        if (frames == 0)
        {
            return 0;
        }

        for (long looked = 0; looked < looksAtMost && evicted < wanted; looked += FramesPerStep)
        {
            // Sweepers share one hand and take steps of their own, so they need no lock.
            uint from = Interlocked.Add(ref _hand, FramesPerStep) - FramesPerStep;
            for (uint i = 0; i < FramesPerStep; i++)
            {
                if (TryEvict(1 + ((from + i) % frames), ref looked, ref sawDirty))
                {
                    evicted++;
                }
            }
        }

        return evicted;
    }

    /// <summary>Takes a frame from its owners, if none of them uses it. Returns whether it has come free.</summary>
    private bool TryEvict(uint frame, ref long looked, ref bool sawDirty)
    {
        // None of this is locked: it may describe another page by the time it is read. The exchange below settles it.
        FrameDescriptor* descriptor = _core.Frames.Descriptor(frame);
        uint owner = Volatile.Read(ref descriptor->Owner);
        if (descriptor->State != FrameState.InUse || owner == 0 || FrameHolds.IsHeld(descriptor))
        {
            return false;
        }

        return Volatile.Read(ref descriptor->OwnerCount) > 1
            ? TryEvictShared(frame, descriptor, ref looked, ref sawDirty)
            : TryEvictOwner(frame, owner, ref sawDirty);
    }

    /// <summary>
    /// Takes a frame from a bounded number of its owners, a few at a time: each is asked for itself whether it has been used. Those
    /// that are not reached have their turn at the next visit (P-8).
    /// </summary>
    private bool TryEvictShared(uint frame, FrameDescriptor* descriptor, ref long looked, ref bool sawDirty)
    {
        Span<uint> owners = stackalloc uint[FrameOwners.TakenAtMost];
        int left = Math.Min(Volatile.Read(ref descriptor->OwnerCount), OwnersPerVisit);
        bool isLast = false;
        while (left > 0)
        {
            int taken = _core.Protection.Owners.Take(frame, owners[..Math.Min(left, owners.Length)]);
            if (taken == 0)
            {
                // One is left, or none: the ring is not for more than one any more.
                uint last = Volatile.Read(ref descriptor->Owner);
                return (last != 0 && TryEvictOwner(frame, last, ref sawDirty)) || isLast;
            }

            foreach (uint owner in owners[..taken])
            {
                isLast |= TryEvictOwner(frame, owner, ref sawDirty) && descriptor->State != FrameState.InUse;
            }

            left -= taken;
            looked += taken;
        }

        return isLast;
    }

    private bool TryEvictOwner(uint frame, uint owner, ref bool sawDirty)
    {
        BufferHead* head = _core.Heads[owner];
        Slot* slot = head->Slot;
        if (slot == null)
        {
            return false;
        }

        ulong state = StateWord.Load(slot);
        if (!StateWord.IsEvictable(state))
        {
            sawDirty |= (state & StateWord.Dirty) != 0;
            return false;
        }

        if ((state & StateWord.Pinned) != 0 && Volatile.Read(ref head->Pins) != 0)
        {
            // Looked at again below. Here it keeps the hand from latching, for a moment, the pages that are used most.
            return false;
        }

        bool evict = _policy.ShouldEvict(state & StateWord.ReferenceMask, out ulong reference);
        if (!evict)
        {
            StateWord.TryChange(slot, state, (state & ~StateWord.ReferenceMask) | reference);
            return false;
        }

        if (!StateWord.TryChange(slot, state, state | StateWord.Exclusive | StateWord.ListLock))
        {
            return false;
        }

        if (slot->Head != owner || slot->Frame != frame)
        {
            Unlock(slot);
            return false;
        }

        uint sequence = Interlocked.Increment(ref _evictionSequence);
        return TryRemove(slot, state, sequence == 0 ? 1 : sequence);
    }

    /// <summary>Takes a page out whose exclusive latch and list lock are held, if no pin holds it; frees both in any case.</summary>
    private bool TryRemove(Slot* slot, ulong state, uint shadow)
    {
        BufferHead* head = _core.Heads[slot->Head];
        Mapping? mapping = _core.MappingAt(head->Mapping);
        if (mapping is null || ((state & StateWord.Pinned) != 0 && Volatile.Read(ref head->Pins) != 0))
        {
            Unlock(slot);
            return false;
        }

        long page = head->Page;
        ReadyChain ready = default;
        mapping.RemovePage(slot, shadow, ref ready);
        _core.Counters.Evicted();
        if ((state & (StateWord.Prefetched | StateWord.Referenced)) == StateWord.Prefetched)
        {
            mapping.OnReadAheadWasted(page);
        }

        ready.Dispatch();
        return true;
    }

    /// <summary>Leaves a page where it is. Nobody can have come to wait: that takes the list lock.</summary>
    private static void Unlock(Slot* slot) => StateWord.Clear(slot, StateWord.Exclusive | StateWord.ListLock);
}
