using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Wait;

/// <summary>
/// The baseline: every waiter in one of 256 queues, chosen by a hash of what it waits for, as Linux keeps those who wait
/// for pages (<c>folio_wait_table</c>, <c>PAGE_WAIT_TABLE_BITS</c>). A wake walks its whole queue under the queue's lock
/// and takes out the waiters whose key matches; they are resumed after the lock is free. Thread-safe.
/// </summary>
internal sealed class HashedWaitTable
{
    private const int QueueBits = 8;
    private const ulong GoldenRatio = 0x61C8_8646_80B5_83EB; // Linux's hash_64

    private readonly Queue[] _queues = new Queue[1 << QueueBits];
    private readonly Stack<HashedWaiter> _pool = new();

    /// <summary>How many wakes there were.</summary>
    public long Wakes { get; private set; }

    /// <summary>How many waiters all wakes have looked at.</summary>
    public long Examined { get; private set; }

    /// <summary>Parks at the end of the key's queue.</summary>
    public ValueTask WaitAsync(long key)
    {
        HashedWaiter waiter = Rent();
        waiter.Key = key;
        ref Queue queue = ref QueueOf(key);
        queue.Enter();
        waiter.Previous = queue.Tail;
        if (queue.Tail is null)
        {
            queue.Head = waiter;
        }
        else
        {
            queue.Tail.Next = waiter;
        }

        queue.Tail = waiter;
        queue.Exit();
        return waiter.Task;
    }

    /// <summary>Resumes everyone who waits for a key.</summary>
    public void Wake(long key)
    {
        ref Queue queue = ref QueueOf(key);
        HashedWaiter? woken = null;
        long examined = 0;
        queue.Enter();
        for (HashedWaiter? waiter = queue.Head; waiter is not null;)
        {
            HashedWaiter? next = waiter.Next;
            examined++;
            if (waiter.Key == key)
            {
                queue.Remove(waiter);
                waiter.Next = woken;
                woken = waiter;
            }

            waiter = next;
        }

        Wakes++;
        Examined += examined;
        queue.Exit();
        while (woken is not null)
        {
            HashedWaiter waiter = woken;
            woken = waiter.Next;
            waiter.Next = null;
            waiter.Previous = null;
            waiter.Complete();
        }
    }

    /// <summary>Takes a waiter back that has been resumed.</summary>
    public void Return(HashedWaiter waiter)
    {
        lock (_pool)
        {
            _pool.Push(waiter);
        }
    }

    private HashedWaiter Rent()
    {
        lock (_pool)
        {
            return _pool.TryPop(out HashedWaiter? waiter) ? waiter : new HashedWaiter(this);
        }
    }

    private ref Queue QueueOf(long key) => ref _queues[(ulong)key * GoldenRatio >> (64 - QueueBits)];

    // A cache line to itself, so that neighbours do not slow each other down.
    [StructLayout(LayoutKind.Auto, Size = 64)]
    private struct Queue
    {
        public HashedWaiter? Head, Tail;
        private int _locked;

        public void Enter()
        {
            SpinWait spin = default;
            while (Interlocked.Exchange(ref _locked, 1) != 0)
            {
                spin.SpinOnce();
            }
        }

        public void Exit() => Volatile.Write(ref _locked, 0);

        public void Remove(HashedWaiter waiter)
        {
            if (waiter.Previous is null)
            {
                Head = waiter.Next;
            }
            else
            {
                waiter.Previous.Next = waiter.Next;
            }

            if (waiter.Next is null)
            {
                Tail = waiter.Previous;
            }
            else
            {
                waiter.Next.Previous = waiter.Previous;
            }
        }
    }
}
