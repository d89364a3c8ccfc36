using StorageCache.KeyValueStore.Crash.Disks;
using StorageCache.KeyValueStore.Crash.Runs;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Crashes;

/// <summary>Short runs of what <c>tests/KeyValueStore.Crash</c> does for as long as one likes: processes killed, disks full and broken, on real files.</summary>
public class CrashRunTests
{
    [Theory]
    [InlineData(Disk.None)]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public async Task Everything_acknowledged_survives_kills(string fileSystem)
    {
        KillRun run = new(Settings(fileSystem, times: 4));
        await RunAsync(run);
        Assert.Equal(4, run.Totals.Lives);
        Assert.True(run.Totals.Checked > 0 && run.Totals.Acknowledged > 0);
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public async Task Everything_acknowledged_survives_a_full_disk_and_stores_go_on_when_there_is_room(string fileSystem)
    {
        FullRun run = new(Settings(fileSystem, times: 2));
        await RunAsync(run);
        Assert.Equal(2, run.Totals.Lives);
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public async Task Everything_acknowledged_is_there_when_a_broken_disk_is_mended(string fileSystem)
    {
        BrokenRun run = new(Settings(fileSystem, times: 2));
        await RunAsync(run);
        Assert.Equal(2, run.Totals.Lives);
        Assert.NotEmpty(run.Totals.Errors);
    }

    private static RunSettings Settings(string fileSystem, int times) => new()
    {
        FileSystem = fileSystem,
        Seed = Random.Shared.Next(),
        Times = times,
        Scratch = Path.Combine(AppContext.BaseDirectory, $"crash-{Guid.NewGuid():N}"),
    };

    private static async Task RunAsync(CrashRun run)
    {
        try
        {
            await run.RunAsync(TestContext.Current.CancellationToken);
        }
        catch (DiskException exception)
        {
            Assert.Skip($"The disk cannot be had here: {exception.Message}");
        }
    }
}
