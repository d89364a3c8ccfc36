using StorageCache.KeyValueStore.Logging;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class WaiterQueueTests
{
    /// <summary>LOG-19: in the order of LSNs, and of coming where these are equal.</summary>
    [Fact]
    public void Waiters_are_taken_in_the_order_of_their_lsns_whatever_order_they_came_in()
    {
        Random random = new(7);
        for (int round = 0; round < 200; round++)
        {
            WaiterQueue queue = new();
            List<(ulong Lsn, int Order, LogWaiter Waiter)> model = [];
            for (int i = 0; i < 40; i++)
            {
                LogWaiter waiter = new(null!);
                waiter.Prepare((ulong)random.Next(20));
                queue.Insert(waiter);
                model.Add((waiter.Lsn, i, waiter));
                if (random.Next(4) == 0)
                {
                    int gone = random.Next(model.Count);
                    queue.Remove(model[gone].Waiter);
                    model.RemoveAt(gone);
                }
            }

            for (ulong limit = 0; limit <= 20; limit += 5)
            {
                List<LogWaiter> expected = [.. model.Where(entry => entry.Lsn <= limit).OrderBy(entry => entry.Lsn).ThenBy(entry => entry.Order).Select(entry => entry.Waiter)];
                model.RemoveAll(entry => entry.Lsn <= limit);
                LogWaiter? taken = queue.Take(limit, LogWaitOutcome.Reached, out int count);
                Assert.Equal(expected.Count, count);
                foreach (LogWaiter waiter in expected)
                {
                    Assert.Same(waiter, taken);
                    Assert.Equal(LogWaitOutcome.Reached, waiter.Outcome);
                    taken = taken!.Next;
                }

                Assert.Null(taken);
            }

            Assert.Null(queue.Head);
            Assert.Null(queue.Tail);
        }
    }
}
