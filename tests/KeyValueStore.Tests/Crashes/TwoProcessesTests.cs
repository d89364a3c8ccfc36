using StorageCache.KeyValueStore.Crash.Reports;
using StorageCache.KeyValueStore.Crash.Runs;
using StorageCache.KeyValueStore.Crash.Work;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Crashes;

/// <summary>A store that another process uses.</summary>
public class TwoProcessesTests
{
    [Fact]
    public async Task A_store_that_another_process_has_open_is_refused_until_that_one_has_ended()
    {
        using TemporaryDirectory directory = new();
        string path = directory.File("store");
        await using WorkerProcess other = WorkerProcess.Start(new LifePlan
        {
            Directory = directory.Path,
            Stores = [new StorePlan("store", IsNew: true, KeyValueDurability.Durable)],
            Seed = 1,
            Life = 1,
            Clones = 0,
        });
        await UntilAsync(other, ReportKind.Done);
        foreach (bool readOnly in (bool[])[false, true])
        {
            await Assert.ThrowsAsync<MappingLockedException>(async () => await KeyValueStore.OpenAsync(path, new KeyValueStoreOptions { ReadOnly = readOnly }));
        }

        // It has not noticed.
        await UntilAsync(other, ReportKind.Done);
        other.EndInput();
        await UntilAsync(other, ReportKind.Closed);
        Assert.Equal(0, (await other.WaitAsync()).ExitCode);
        await using KeyValueStore store = await KeyValueStore.OpenAsync(path);
        Assert.False(store.Recovery.WasNeeded);
        await store.AssertSoundAsync();
    }

    private static async Task UntilAsync(WorkerProcess worker, ReportKind kind)
    {
        Report? report;
        do
        {
            report = await worker.ReadAsync(TestContext.Current.CancellationToken);
            Assert.NotNull(report);
            Assert.NotEqual(ReportKind.Violation, report.Kind);
        }
        while (report.Kind != kind);
    }
}
