using System.Diagnostics;

namespace StorageCache.Waiting;

/// <summary>
/// The wait list of one buffer: a doubly linked list of waiters whose first index lies in the buffer head. First in, first
/// out; insertion and removal are O(1). All calls are made under the buffer's list lock.
/// </summary>
internal static class WaitList
{
    /// <summary>Appends a waiter.</summary>
    /// <param name="first">Where the buffer head keeps the index of the first waiter; zero for an empty list.</param>
    /// <param name="head">The first waiter, or null.</param>
    /// <param name="waiter">The waiter; in no list.</param>
    public static void AddLast(ref uint first, Waiter? head, Waiter waiter)
    {
        Debug.Assert(!waiter.IsLinked, "a waiter stands in one list at most (W-2)");
        waiter.IsLinked = true;
        waiter.Next = null;
        if (head is null)
        {
            waiter.Previous = waiter;
            first = waiter.Index;
            return;
        }

        Waiter last = head.Previous!;
        last.Next = waiter;
        waiter.Previous = last;
        head.Previous = waiter;
    }

    /// <summary>Puts a waiter before all others.</summary>
    public static void AddFirst(ref uint first, Waiter? head, Waiter waiter)
    {
        if (head is null)
        {
            AddLast(ref first, null, waiter);
            return;
        }

        Debug.Assert(!waiter.IsLinked, "a waiter stands in one list at most (W-2)");
        waiter.IsLinked = true;
        waiter.Next = head;
        waiter.Previous = head.Previous;
        head.Previous = waiter;
        first = waiter.Index;
    }

    /// <summary>Takes a waiter out, wherever it stands.</summary>
    public static void Remove(ref uint first, Waiter head, Waiter waiter)
    {
        Debug.Assert(waiter.IsLinked, "only a linked waiter is removed (W-2)");
        Waiter? next = waiter.Next;
        if (ReferenceEquals(head, waiter))
        {
            first = next?.Index ?? 0;
            if (next is not null)
            {
                next.Previous = waiter.Previous;
            }
        }
        else
        {
            Waiter previous = waiter.Previous!;
            previous.Next = next;
            if (next is not null)
            {
                next.Previous = previous;
            }
            else
            {
                head.Previous = previous;
            }
        }

        waiter.IsLinked = false;
        waiter.Next = null;
        waiter.Previous = null;
    }
}
