using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace StorageCache.Waiting;

/// <summary>
/// Resumed waiters of one cache on their way to the thread pool: a queue, and work items that empty it, of which one at most
/// is scheduled and has not begun. Waiters that are resumed together therefore cost one work item together, and not one each.
/// Thread-safe.
/// </summary>
/// <remarks>
/// A continuation may block, and even on what another one in the queue does. So none of them ever stands between the queue and
/// the pool (W-12): a work item schedules the next one before it runs its first waiter, unless the queue is empty by then, and
/// takes waiters singly, so that whoever has a thread can have them. A pool that gives its work items threads gives them to
/// all waiters. The scheme is that of the runtime's sockets (<c>SocketAsyncEngine</c>).
/// </remarks>
internal sealed class PooledResumption : IThreadPoolWorkItem
{
    /// <summary>Nothing is scheduled, and the queue was empty when it was last looked at.</summary>
    private const int Idle = 0;

    /// <summary>A work item is scheduled and has not begun.</summary>
    private const int Scheduled = 1;

    /// <summary>A work item has begun and is about to find out whether another one is needed.</summary>
    private const int Deciding = 2;

    /// <summary>
    /// After how long a work item gives its thread back to the pool, for others' work that stands there: about what a
    /// work item of the pool may take before the pool looks after its other queues.
    /// </summary>
    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(15);

    /// <summary>Whether the calling thread is between <see cref="Hold"/> and <see cref="Release"/>.</summary>
    [ThreadStatic]
    private static bool s_isHolding;

    /// <summary>Whose queue was filled by the calling thread and has nothing scheduled for it yet.</summary>
    [ThreadStatic]
    private static PooledResumption? s_held;

    private readonly ConcurrentQueue<Waiter> _queue = new();
    private readonly TimeProvider _clock;

    /// <summary><see cref="Idle"/>, <see cref="Scheduled"/> or <see cref="Deciding"/>.</summary>
    private int _stage;
    private long _workItems;

    /// <param name="clock">What the turns of work items are measured by.</param>
    public PooledResumption(TimeProvider clock) => _clock = clock;

    /// <summary>Work items handed to the thread pool so far.</summary>
    public long WorkItems => Volatile.Read(ref _workItems);

    /// <summary>
    /// From here to <see cref="Release"/> the calling thread only fills queues: what it resumes meanwhile goes to the pool
    /// together. It runs nothing of the host's and does not block in between.
    /// </summary>
    public static void Hold() => s_isHolding = true;

    /// <summary>Lets the pool have what the calling thread has kept.</summary>
    public static void Release()
    {
        s_isHolding = false;
        Flush();
    }

    /// <summary>
    /// Lets the pool have what the calling thread has kept so far: before it blocks, perhaps for one of them (W-14).
    /// </summary>
    public static void Flush()
    {
        if (s_held is { } held)
        {
            s_held = null;
            held.Schedule();
        }
    }

    /// <summary>Has a resumed waiter go on on the thread pool.</summary>
    public void Run(Waiter waiter)
    {
        _queue.Enqueue(waiter);
        if (!s_isHolding)
        {
            Schedule();
        }
        else if (!ReferenceEquals(s_held, this))
        {
            s_held?.Schedule();
            s_held = this;
        }
    }

    /// <inheritdoc/>
    void IThreadPoolWorkItem.Execute()
    {
        if (!TryBegin(out Waiter? waiter))
        {
            return;
        }

        // As between two work items: what a continuation leaves on the thread is not for the next one.
        ExecutionContext clean = ExecutionContext.Capture()!;
        long start = _clock.GetTimestamp();
        do
        {
            waiter.Run();
            ExecutionContext.Restore(clean);
            SynchronizationContext.SetSynchronizationContext(null);
        }
        while (_clock.GetElapsedTime(start) < s_turn && _queue.TryDequeue(out waiter));
    }

    /// <summary>
    /// Takes the first waiter and, if there are more, has the next work item scheduled: from then on nothing depends on what the
    /// waiter does. False if others have emptied the queue.
    /// </summary>
    private bool TryBegin([NotNullWhen(true)] out Waiter? waiter)
    {
        Debug.Assert(Volatile.Read(ref _stage) != Idle, "a work item that begins was scheduled (W-12)");
        bool found;
        bool isOver;
        do
        {
            // Before the queue is looked at: whoever adds to it from here on leaves a mark.
            Interlocked.Exchange(ref _stage, Deciding);
            found = _queue.TryDequeue(out waiter);
            isOver = _queue.IsEmpty && Interlocked.CompareExchange(ref _stage, Idle, Deciding) == Deciding;
        }
        while (!found && !isOver);

        if (!isOver)
        {
            Volatile.Write(ref _stage, Scheduled);
            Enqueue();
        }

        return found;
    }

    /// <summary>Sees to it that a work item looks at the queue after this call has begun.</summary>
    private void Schedule()
    {
        if (Interlocked.Exchange(ref _stage, Scheduled) == Idle)
        {
            Enqueue();
        }
    }

    private void Enqueue()
    {
        Interlocked.Increment(ref _workItems);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}
