using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Errors;

/// <remarks>M-1: a failed read goes to the waiter that it was for; the next one tries again.</remarks>
public class ReadErrorTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_failed_read_goes_to_its_issuer_and_a_waiter_tries_again(bool inline)
    {
        await using TestCache test = await TestCache.OpenAsync(inline: inline);
        int reads = 0;
        test.Device.Fill(5, 5);
        test.Device.Hold = _ => true;
        test.Device.Fault = call => ++reads == 1 ? ScriptedDevice.Eio(call) : null;
        Task<PageReadLease> issuer = test.Mapping.ReadAsync(5).AsTask();
        Task<PageReadLease>[] others = [.. Enumerable.Range(0, 10).Select(_ => test.Mapping.ReadAsync(5).AsTask())];
        test.Device.ReleaseAll();

        PageReadException error = await Assert.ThrowsAsync<PageReadException>(() => issuer.InTime());

        Assert.Equal(5, error.Page);
        Assert.Equal("scripted", error.Path);
        Assert.Equal(5, error.HResult);
        foreach (Task<PageReadLease> other in others)
        {
            using PageReadLease lease = await other.InTime();
            Assert.Equal(5, lease.Span[0]);
        }

        Assert.Equal(2, reads);
        Assert.Equal(1, test.Cache.GetStatistics().ReadErrors);
        test.AssertSound();
    }

    /// <summary>Each third read succeeds: every two waiters at the front fail, and then all the others get the page.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public async Task As_many_waiters_fail_as_reads_do(int failures)
    {
        await using TestCache test = await TestCache.OpenAsync();
        int reads = 0;
        test.Device.Hold = _ => true;
        test.Device.Fault = call => Interlocked.Increment(ref reads) <= failures ? ScriptedDevice.Eio(call) : null;
        Task<PageReadLease>[] waiters = [.. Enumerable.Range(0, 20).Select(_ => test.Mapping.ReadAsync(5).AsTask())];
        test.Device.ReleaseAll();
        for (int i = 0; i < failures; i++)
        {
            await Assert.ThrowsAsync<PageReadException>(() => waiters[i].InTime());
        }

        for (int i = failures; i < waiters.Length; i++)
        {
            (await waiters[i].InTime()).Dispose();
        }

        Assert.Equal(failures + 1, reads);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Ten_thousand_waiters_of_a_page_that_cannot_be_read_all_learn_it(bool inline)
    {
        await using TestCache test = await TestCache.OpenAsync(inline: inline);
        test.Device.Records = false;
        test.Device.Hold = _ => true;
        test.Device.Fault = ScriptedDevice.Eio;
        Task<PageReadLease>[] waiters = [.. Enumerable.Range(0, 10_000).Select(_ => test.Mapping.ReadAsync(5).AsTask())];
        test.Device.ReleaseAll();
        await ((Task)Task.WhenAll(waiters)).ContinueWith(_ => { }, TaskScheduler.Default).InTime();
        Assert.All(waiters, waiter => Assert.IsType<PageReadException>(waiter.Exception!.InnerException));
        Assert.Equal(10_000, test.Device.Reads);
        test.AssertSound();
        Assert.Equal(0, test.Cache.Core.Heads.InUse);
    }

    [Fact]
    public async Task A_synchronous_reader_gets_the_error_and_the_next_one_the_page()
    {
        await using TestCache test = await TestCache.OpenAsync();
        bool broken = true;
        test.Device.Fault = call => broken ? ScriptedDevice.Eio(call) : null;
        Assert.Throws<PageReadException>(() => test.Mapping.Read(5));
        Assert.Throws<PageReadException>(() => test.Mapping.Write(5));
        Assert.Throws<PageReadException>(() => test.Mapping.Pin(5));
        Assert.Throws<PageReadException>(() => test.Mapping.ReadOptimistic(5));
        Assert.Equal(0, test.Cache.Core.Heads.InUse);
        broken = false;
        test.Mapping.Read(5).Dispose();
    }

    [Fact]
    public async Task A_failed_prefetch_is_narrowed_to_the_pages_that_cannot_be_read()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Fault = call => call.Covers(5) ? ScriptedDevice.Eio(call) : null;
        Assert.Equal(10, test.Mapping.Prefetch(0, 10));
        Wait.Until(() => test.Cache.Core.Loads.InUse == 0, "the prefetch to end");
        for (int page = 0; page < 10; page++)
        {
            Assert.Equal(page != 5, test.IsResident(page));
        }

        Assert.Throws<PageReadException>(() => test.Mapping.Read(5));
        test.AssertSound();
    }

    [Fact]
    public async Task Those_who_wait_for_a_failed_prefetch_get_their_own_try()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = _ => true;
        int failures = 0;
        test.Device.Fault = call => call.Covers(5) && Interlocked.Increment(ref failures) <= 2 ? ScriptedDevice.Eio(call) : null;
        test.Mapping.Prefetch(0, 10);
        Task<PageReadLease> reader = test.Mapping.ReadAsync(5).AsTask();
        Task<PageReadLease> other = test.Mapping.ReadAsync(6).AsTask();
        test.Device.ReleaseAll();
        (await other.InTime()).Dispose();

        // The prefetch failed for the run, then for the page alone; the third read is the reader's own.
        (await reader.InTime()).Dispose();
    }

    [Fact]
    public async Task A_new_page_gets_past_a_read_that_fails()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Device.Hold = _ => true;
        test.Device.Fault = ScriptedDevice.Eio;
        Task<PageReadLease> issuer = test.Mapping.ReadAsync(5).AsTask();
        Task<PageWriteLease> writer = test.Mapping.WriteNewAsync(5).AsTask();
        test.Device.ReleaseAll();
        await Assert.ThrowsAsync<PageReadException>(() => issuer.InTime());
        using PageWriteLease lease = await writer.InTime();
        Assert.Equal(0, lease.Span[0]);
        test.Device.Fault = null;
    }
}
