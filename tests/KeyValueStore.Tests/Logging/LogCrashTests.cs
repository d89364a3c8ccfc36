using Xunit;

namespace StorageCache.KeyValueStore.Tests.Logging;

public class LogCrashTests
{
    /// <summary>LOG-5, LOG-7, LOG-9, LOG-10, LOG-11: after every crash a prefix that has everything durable, and appending goes on behind it.</summary>
    [Theory]
    [InlineData(512, 0)]
    [InlineData(512, 1)]
    [InlineData(4096, 2)]
    [InlineData(4096, 3)]
    public async Task A_prefix_with_everything_durable_survives_each_of_many_crashes(int blockBytes, int part)
    {
        const int Seeds = 500;
        long records = 0;
        for (int seed = part * Seeds; seed < (part + 1) * Seeds; seed++)
        {
            LogLives lives = new(seed, blockBytes);
            try
            {
                await lives.RunAsync(lives: 6);
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"Seed {seed}: {error.Message}", error);
            }

            records += lives.Checked;
        }

        Assert.True(records > Seeds, $"Only {records} records have been through a crash.");
    }
}
