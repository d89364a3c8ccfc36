using StorageCache.Buffers;
using StorageCache.Frames;
using StorageCache.Waiting;

namespace StorageCache.Replacement;

/// <summary>
/// Takes pages out of memory: a hand that goes round all frames, from frame to owner to state word, and a thread of its
/// own that keeps some frames free, so that a miss seldom waits for an eviction. Thread-safe.
/// </summary>
/// <typeparam name="TPolicy">What decides which pages go.</typeparam>
internal sealed unsafe class Reclaimer<TPolicy> : IReclaimer
    where TPolicy : struct, IReplacementPolicy
{
    private const int FramesPerStep = 16;
    private const int DirectStepsAtMost = 32;
    private static readonly TimeSpan s_starvedPause = TimeSpan.FromMilliseconds(2);

    private readonly CacheCore _core;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Thread _thread;
    private readonly TPolicy _policy;
    private uint _hand;
    private uint _evictionSequence;
    private int _kicked;
    private volatile bool _stopping;

    public Reclaimer(CacheCore core, TPolicy policy)
    {
        _core = core;
        _policy = policy;
        _thread = new Thread(Run) { IsBackground = true, Name = "StorageCache reclaim" };
    }

    private int LowWatermark => Math.Clamp(_core.FrameCapacity / 64, 2, 1024) + _core.Frames.Reserve;

    private int HighWatermark => LowWatermark + Math.Clamp(_core.FrameCapacity / 64, 2, 1024);

    private bool HasWork => _core.FrameQueue.Count > 0 || _core.Frames.Excess > 0;

    /// <inheritdoc/>
    public void Start() => _thread.Start();

    /// <inheritdoc/>
    public void Stop()
    {
        _stopping = true;
        _wake.Set();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }

    }

    /// <inheritdoc/>
    public void Balance()
    {
        if (_core.Frames.Available < LowWatermark)
        {
            Kick();
        }
    }

    /// <inheritdoc/>
    public void Kick()
    {
        if (Volatile.Read(ref _kicked) == 0 && Interlocked.Exchange(ref _kicked, 1) == 0 && !_stopping)
        {
            _wake.Set();
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
    public int Evict(int wanted) => Sweep(wanted, DirectStepsAtMost * FramesPerStep, out _);

    private void Run()
    {
        while (!_stopping)
        {
            _wake.WaitOne(HasWork ? s_starvedPause : Timeout.InfiniteTimeSpan);
            Interlocked.Exchange(ref _kicked, 0);
            if (!_stopping)
            {
                Refill();
            }
        }
    }

    /// <summary>Evicts until enough frames are free, or a whole turn of the clock in both bits has brought nothing.</summary>
    private void Refill()
    {
        _core.TrimEmptyLeaves();
        while (!_stopping && (_core.Frames.Available < HighWatermark || HasWork))
        {
            _core.Frames.RetireFree(Math.Min(_core.Frames.Excess, FramesPerStep));

            // No more than is missing: in a small cache a few steps more would empty it.
            long missing = HighWatermark - _core.Frames.Available + _core.FrameQueue.Count + _core.Frames.Excess;
            int evicted = Sweep((int)Math.Clamp(missing, 1, FramesPerStep * 4), 3L * _core.Frames.HighWater, out bool sawDirty);
            if (sawDirty && (evicted == 0 || _core.WriteBack.IsAboveBackground))
            {
                _core.WriteBack.Kick(urgent: true);
            }

            _core.FrameQueue.Pump();
            _core.FrameQueue.ExpireDue();
            if (evicted == 0)
            {
                // Everything is latched, pinned or on its way to the device; writes that complete kick us again.
                return;
            }
        }
    }

    private int Sweep(int wanted, long looksAtMost, out bool sawDirty)
    {
        sawDirty = false;
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
                if (TryEvict(1 + ((from + i) % frames), ref sawDirty))
                {
                    evicted++;
                }
            }
        }

        return evicted;
    }

    private bool TryEvict(uint frame, ref bool sawDirty)
    {
        // None of this is locked: it may describe another page by the time it is read. The exchange below settles it.
        FrameDescriptor* descriptor = _core.Frames.Descriptor(frame);
        uint owner = Volatile.Read(ref descriptor->Owner);
        if (descriptor->State != FrameState.InUse || owner == 0)
        {
            return false;
        }

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

        Mapping? mapping = slot->Head == owner && slot->Frame == frame ? _core.MappingAt(head->Mapping) : null;
        if (mapping is null || ((state & StateWord.Pinned) != 0 && Volatile.Read(ref head->Pins) != 0))
        {
            // Nobody can have come to wait: that takes the list lock.
            StateWord.Clear(slot, StateWord.Exclusive | StateWord.ListLock);
            return false;
        }

        uint sequence = Interlocked.Increment(ref _evictionSequence);
        ReadyChain ready = default;
        mapping.RemovePage(slot, sequence == 0 ? 1 : sequence, ref ready);
        _core.Counters.Evicted();
        ready.Dispatch();
        return true;
    }
}
