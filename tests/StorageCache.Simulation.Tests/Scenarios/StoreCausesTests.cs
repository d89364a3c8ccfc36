using StorageCache.KeyValueStore;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Scenarios.Store;
using StorageCache.Simulation.Tests.Disk;
using Xunit;

namespace StorageCache.Simulation.Tests.Scenarios;

/// <summary>An error is excused by what has failed of the right file, in the right way and at the right time, and by nothing else (SIM-7).</summary>
public class StoreCausesTests
{
    private static readonly PageReadException s_unread = new("It cannot be read.", "pages");
    private static readonly StoreFailedException s_failed = new("pages", new IOException("It is broken."));

    private readonly DiskBench _bench = new(seed: 1);
    private readonly StoreCauses _causes;

    public StoreCausesTests()
    {
        _causes = new StoreCauses(_bench.Disk, "pages", "log");
        _causes.BeginOpening();
    }

    [Theory]
    [InlineData("pages", true)]
    [InlineData("log", false)]
    public void A_page_cannot_be_read_if_a_read_of_the_pages_has_failed(string file, bool isCause)
    {
        StoreCauses.Moment began = _causes.Now;
        Assert.False(_causes.Explain(s_unread, StoreUse.Read, began));
        Strike(Fault.ReadError, file);
        Assert.Equal(isCause, _causes.Explain(s_unread, StoreUse.Read, began));
        Assert.Equal(isCause, _causes.Explain(s_unread, StoreUse.Change, began));
        Assert.False(_causes.Explain(s_unread, StoreUse.Flush, began));
        Assert.False(_causes.Explain(s_unread, StoreUse.Read, _causes.Now));
        Assert.False(_causes.Explain(s_failed, StoreUse.Change, began));
    }

    [Fact]
    public void A_store_fails_when_the_log_has_failed_as_often_as_it_is_tried()
    {
        StoreCauses.Moment began = _causes.Now;
        for (int times = 0; times < 5; times++)
        {
            Assert.False(_causes.Explain(s_failed, StoreUse.Change, began));
            Strike(Fault.WriteError, "log");
        }

        Assert.True(_causes.Explain(s_failed, StoreUse.Change, began));
        Assert.True(_causes.Explain(s_failed, StoreUse.Change, _causes.Now));
        Assert.False(_causes.Explain(s_failed, StoreUse.Read, began));
        _causes.BeginOpening();
        Assert.False(_causes.Explain(s_failed, StoreUse.Change, began));
    }

    [Theory]
    [InlineData("pages")]
    [InlineData("log")]
    public void A_store_fails_with_a_flush(string file)
    {
        Strike(Fault.FlushError, file);
        Assert.True(_causes.Explain(s_failed, StoreUse.Change, _causes.Now));
    }

    [Fact]
    public void What_nobody_has_thought_of_has_no_cause()
    {
        StoreCauses.Moment began = _causes.Now;
        Strike(Fault.ReadError, "pages");
        Strike(Fault.FlushError, "pages");
        Strike(Fault.FlushError, "log");
        Assert.False(_causes.Explain(new IOException("A page has a change that a checkpoint has not made durable."), StoreUse.Checkpoint, began));
    }

    private void Strike(Fault fault, string name)
    {
        SimulatedFile file = _bench.Disk.Open(name);
        _bench.Plan[fault] = 1;
        Task request = fault switch
        {
            Fault.ReadError => file.ReadAsync(0, new byte[512]),
            Fault.WriteError => file.WriteAsync(0, new byte[512]),
            _ => file.FlushAsync(),
        };
        _bench.Drain();
        _bench.Plan[fault] = 0;
        Assert.True(request.IsFaulted);
    }
}
