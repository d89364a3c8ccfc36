using System.Diagnostics;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>Waiters in the order of their LSNs, and of their coming where these are equal. Guarded by the log's lock.</summary>
internal sealed class WaiterQueue
{
    /// <summary>Whoever waits for the least LSN.</summary>
    public LogWaiter? Head { get; private set; }

    /// <summary>Whoever waits for the greatest LSN.</summary>
    public LogWaiter? Tail { get; private set; }

    /// <summary>Takes its place, which is the last one as a rule.</summary>
    public void Insert(LogWaiter waiter)
    {
        Debug.Assert(waiter.Queue is null, "A waiter stands in one queue at most.");
        LogWaiter? before = Tail;
        while (before is not null && before.Lsn > waiter.Lsn)
        {
            before = before.Before;
        }

        waiter.Queue = this;
        waiter.Before = before;
        waiter.Next = before is null ? Head : before.Next;
        if (before is null)
        {
            Head = waiter;
        }
        else
        {
            before.Next = waiter;
        }

        if (waiter.Next is null)
        {
            Tail = waiter;
        }
        else
        {
            waiter.Next.Before = waiter;
        }
    }

    /// <summary>Leaves the queue.</summary>
    public void Remove(LogWaiter waiter)
    {
        Debug.Assert(waiter.Queue == this, "Only who stands in the queue can leave it.");
        if (waiter.Before is null)
        {
            Head = waiter.Next;
        }
        else
        {
            waiter.Before.Next = waiter.Next;
        }

        if (waiter.Next is null)
        {
            Tail = waiter.Before;
        }
        else
        {
            waiter.Next.Before = waiter.Before;
        }

        waiter.Before = waiter.Next = null;
        waiter.Queue = null;
    }

    /// <summary>Takes out all who wait for an LSN up to a limit and marks how their wait has ended. Chained by <see cref="LogWaiter.Next"/>, in order.</summary>
    public LogWaiter? Take(ulong limit, LogWaitOutcome outcome, out int count)
    {
        LogWaiter? first = null;
        LogWaiter? last = null;
        count = 0;
        while (Head is { } waiter && waiter.Lsn <= limit)
        {
            Remove(waiter);
            waiter.Outcome = outcome;
            if (last is null)
            {
                first = waiter;
            }
            else
            {
                last.Next = waiter;
            }

            last = waiter;
            count++;
        }

        return first;
    }
}
