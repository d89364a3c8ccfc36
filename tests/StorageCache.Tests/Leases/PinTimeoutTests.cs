using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

public class PinTimeoutTests
{
    [Fact]
    public async Task Leases_taken_from_a_pin_give_up_in_time_and_leave_the_page_as_it_was()
    {
        await using TestCache test = await TestCache.OpenAsync(pages: 8);
        using PagePin pin = test.Mapping.Pin(3);
        using (PageWriteLease held = pin.Write())
        {
            held.PrivateWord = 42;
            var patience = TimeSpan.FromMilliseconds(20);
            Assert.Throws<LatchTimeoutException>(() => pin.Read(patience));
            Assert.Throws<LatchTimeoutException>(() => pin.Write(patience));
            await Assert.ThrowsAsync<LatchTimeoutException>(() => pin.ReadAsync(patience).AsTask());
            await Assert.ThrowsAsync<LatchTimeoutException>(() => pin.WriteAsync(patience).AsTask());
            Assert.False(pin.TryReadOptimistic(out _));
            Task<OptimisticRead> waiting = pin.ReadOptimisticAsync().AsTask();
            Assert.False(waiting.IsCompleted);
            held.Dispose();
            Assert.True((await waiting).Validate());
        }

        Assert.True(pin.ReadOptimistic().Validate());
        using PageReadLease lease = pin.Read(TimeSpan.FromSeconds(1));
        Assert.Equal(42UL, lease.PrivateWord);
    }
}
