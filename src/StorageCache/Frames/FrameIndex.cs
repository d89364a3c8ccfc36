using System.Numerics;
using System.Runtime.InteropServices;
using StorageCache.Platform;

namespace StorageCache.Frames;

/// <summary>
/// Finds frames by a key: a hash table with chains, an entry for each frame at most, and a lock bit in each bucket. Whoever finds
/// a frame has a reference to it before the bucket is free again, so that it is no more the only owner's alone (F-10). Thread-safe.
/// </summary>
/// <remarks>Memory comes with the first use, and counts in the memory limit: buckets for as many frames as the cache had room for then, and entries as frames are put in.</remarks>
internal sealed unsafe class FrameIndex
{
    private const uint BucketLock = 1u << 31;
    private const long CommitStep = 1 << 20;

    private readonly FramePool _frames;
    private readonly uint _mark;
    private readonly MetadataRoom _room;
    private readonly Lock _growth = new();
    private MemoryRegion? _bucketMemory;
    private MemoryRegion? _entryMemory;
    private uint* _buckets;
    private Entry* _entries;
    private uint _mask;
    private long _committedEntries;
    private volatile bool _isActive;

    /// <param name="frames">The frames.</param>
    /// <param name="mark">The bit of <see cref="FrameMarks"/> that a frame carries while it is in the index.</param>
    public FrameIndex(FramePool frames, uint mark)
    {
        _frames = frames;
        _mark = mark;
        _room = new MetadataRoom(frames, Entry.SizeInBytes);
    }

    /// <summary>Frames that can be found, and those that are being put in, or found not to have a place, at the moment.</summary>
    public int Count => _room.Taken;

    /// <summary>Bytes charged to the memory limit.</summary>
    public long Bytes => _room.Bytes + BucketBytes;

    private long BucketBytes => _isActive ? (_mask + 1L) * sizeof(uint) : 0;

    /// <summary>Whether the index has its memory.</summary>
    public bool IsActive => _isActive;

    /// <summary>Bytes that the buckets take.</summary>
    /// <param name="capacity">Frames that the cache has room for.</param>
    public static long BucketBytesFor(int capacity) => BucketsFor(capacity) * (long)sizeof(uint);

    /// <summary>
    /// Gives the index its memory. What <see cref="BucketBytesFor"/> says has been charged, and is the index's from here on, or given back if
    /// it has its memory or there is no address space. Returns whether the index has its memory.
    /// </summary>
    /// <param name="capacity">Frames that the cache has room for.</param>
    public bool TryActivate(int capacity)
    {
        long bytes = BucketBytesFor(capacity);
        lock (_growth)
        {
            if (!_isActive && TryReserve(bytes))
            {
                _buckets = (uint*)_bucketMemory!.Base;
                _entries = (Entry*)_entryMemory!.Base;
                _mask = BucketsFor(capacity) - 1;
                _isActive = true;
                return true;
            }

            _frames.ReturnRoom(bytes);
            return _isActive;
        }
    }

    /// <summary>Sees that there is room for a few entries more. No lock is held.</summary>
    public bool TryProvide() => _isActive && _room.TryProvide();

    /// <summary>Finds a frame and adds a reference to it; zero if there is none.</summary>
    public uint TryTake(in FrameKey key)
    {
        if (!_isActive)
        {
            return 0;
        }

        uint* bucket = Lock(key);
        uint found = *bucket & ~BucketLock;
        while (found != 0 && !_entries[found].Has(key))
        {
            found = _entries[found].Next;
        }

        if (found != 0 && !_frames.TryAddReference(found))
        {
            // Its last owner has gone, and it leaves the index in a moment.
            found = 0;
        }

        Unlock(bucket);
        return found;
    }

    /// <summary>
    /// Puts a frame in. From here on it may have other users: it is protected for each of its owners (P-5). Returns false if it is in
    /// already, by whatever key, or another frame with that key is, or there is no room.
    /// </summary>
    public bool TryInsert(uint frame, in FrameKey key)
    {
        if (!_isActive || !EnsureCommitted(frame) || !_room.TryTake())
        {
            return false;
        }

        // Owners of one frame may have it found at once, by different keys and each under a lock of its own: the mark says whose key it is
        // (F-10). Whoever removes the frame meanwhile waits until it stands in a chain, or the mark has gone again.
        ref uint marks = ref _frames.Descriptor(frame)->Marks;
        bool isInserted = (Interlocked.Or(ref marks, _mark) & _mark) == 0;
        if (isInserted && !TryLink(frame, key))
        {
            Interlocked.And(ref marks, ~_mark);
            isInserted = false;
        }

        if (!isInserted)
        {
            _room.Return();
        }

        return isInserted;
    }

    /// <summary>Takes a frame out, if it is in. Nobody can find it afterwards.</summary>
    public void Remove(uint frame)
    {
        SpinWait spin = default;
        FrameDescriptor* descriptor = _frames.Descriptor(frame);
        while ((Volatile.Read(ref descriptor->Marks) & _mark) != 0)
        {
            // Read without the lock, the key may be half of one and half of another: then the frame is not in that chain.
            uint* bucket = Lock(_entries[frame].Key);
            if (TryUnlink(bucket, frame))
            {
                Interlocked.And(ref descriptor->Marks, ~_mark);
                Unlock(bucket);
                _room.Return();
                return;
            }

            Unlock(bucket);
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Whether the frame is found by the key that its entry has; read by the integrity check.</summary>
    public bool IsConsistent(uint frame)
    {
        uint found = TryTake(_entries[frame].Key);
        if (found != 0)
        {
            _frames.DropReference(found);
        }

        return found == frame;
    }

    private static uint BucketsFor(int capacity) => BitOperations.RoundUpToPowerOf2((uint)Math.Max(capacity, 64));

    private bool TryReserve(long bucketBytes)
    {
        try
        {
            _bucketMemory = MemoryRegion.Reserve(bucketBytes, hugePages: false);
            _bucketMemory.Commit(0, bucketBytes);
            _entryMemory = MemoryRegion.Reserve((_frames.MaximumFrames + 1L) * Entry.SizeInBytes, hugePages: false);
            return true;
        }
        catch (InsufficientMemoryException)
        {
            return false;
        }
    }

    private bool TryLink(uint frame, in FrameKey key)
    {
        uint* bucket = Lock(key);
        uint first = *bucket & ~BucketLock;
        for (uint other = first; other != 0; other = _entries[other].Next)
        {
            if (_entries[other].Has(key))
            {
                Unlock(bucket);
                return false;
            }
        }

        Entry* entry = _entries + frame;
        entry->Set(key);
        entry->Next = first;
        Volatile.Write(ref *bucket, frame);
        return true;
    }

    private bool TryUnlink(uint* bucket, uint frame)
    {
        uint current = *bucket & ~BucketLock;
        if (current == frame)
        {
            *bucket = _entries[frame].Next | BucketLock;
            return true;
        }

        while (current != 0)
        {
            Entry* entry = _entries + current;
            if (entry->Next == frame)
            {
                entry->Next = _entries[frame].Next;
                return true;
            }

            current = entry->Next;
        }

        return false;
    }

    private uint* Lock(in FrameKey key)
    {
        uint* bucket = _buckets + (key.Spread & _mask);
        SpinWait spin = default;
        while (true)
        {
            uint value = Volatile.Read(ref *bucket);
            if ((value & BucketLock) == 0 && Interlocked.CompareExchange(ref *bucket, value | BucketLock, value) == value)
            {
                return bucket;
            }

            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    private static void Unlock(uint* bucket) => Volatile.Write(ref *bucket, *bucket & ~BucketLock);

    private bool EnsureCommitted(uint frame)
    {
        long needed = (frame + 1L) * Entry.SizeInBytes;
        if (needed <= Volatile.Read(ref _committedEntries))
        {
            return true;
        }

        lock (_growth)
        {
            if (needed > _committedEntries)
            {
                long target = Math.Min(_entryMemory!.Size, (needed + CommitStep - 1) / CommitStep * CommitStep);
                try
                {
                    _entryMemory.Commit(_committedEntries, target - _committedEntries);
                }
                catch (InsufficientMemoryException)
                {
                    return false;
                }

                Volatile.Write(ref _committedEntries, target);
            }

            return true;
        }
    }

    /// <summary>What the index knows of a frame.</summary>
    [StructLayout(LayoutKind.Sequential, Size = SizeInBytes)]
    private struct Entry
    {
        public const int SizeInBytes = 24;

        public uint Next;
        private uint _tag;
        private ulong _low;
        private ulong _high;

        public readonly FrameKey Key => new(_low, _high, _tag);

        public readonly bool Has(in FrameKey key) => _low == key.Low && _high == key.High && _tag == key.Tag;

        public void Set(in FrameKey key)
        {
            _tag = key.Tag;
            _low = key.Low;
            _high = key.High;
        }
    }
}
