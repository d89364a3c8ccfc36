using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Stress;

/// <summary>
/// Threads and tasks on self-describing pages, in rounds of about a second with ever different settings. The schedule
/// differs from run to run; what fails says its seed and settings.
/// </summary>
public sealed class ParallelStressTests
{
    [Fact]
    public Task Nothing_is_lost_under_eviction_and_write_back() => RunAsync(seconds: 4, (random, configuration) => configuration);

    [Fact]
    public Task Nothing_is_lost_while_files_are_cut_and_grow() =>
        RunAsync(seconds: 4, (random, configuration) => configuration with { Truncates = true });

    [Fact]
    public Task Nothing_is_lost_while_the_cache_is_resized() =>
        RunAsync(seconds: 4, (random, configuration) => configuration with { Resizes = true, Truncates = random.Next(2) == 0 });

    [Fact]
    public Task Nothing_acknowledged_is_lost_on_a_device_that_is_slow_and_fails() =>
        RunAsync(seconds: 6, (random, configuration) => configuration with { OnFiles = false, Failures = 0.01 + (random.NextDouble() * 0.1), Truncates = random.Next(2) == 0 });

    [Fact]
    public Task Nothing_is_lost_when_files_are_closed_while_they_are_used() =>
        RunAsync(seconds: 4, (random, configuration) => configuration with { ClosesUnderLoad = true, Truncates = random.Next(2) == 0 });

    /// <remarks>Every request but one waits in the queue; who submits, who reaps and who blocks is decided anew for each.</remarks>
    [RingFact]
    public Task Nothing_is_lost_when_the_kernel_has_one_request_at_a_time() =>
        RunAsync(seconds: 4, (random, configuration) => configuration with { OnFiles = true, Engine = IoEngine.IoUring, QueueDepth = 1, Truncates = random.Next(2) == 0 });

    /// <remarks>In pieces of 2 MiB, of which there are several, and which come and go with the frames (I/O-22).</remarks>
    [RingFact]
    public Task Nothing_is_lost_while_memory_is_registered_and_withdrawn() =>
        RunAsync(seconds: 6, (random, configuration) => configuration with
        {
            OnFiles = true,
            Engine = IoEngine.IoUring,
            RegistersMemory = true,
            PageSize = 65536,
            QueueDepth = random.Next(3) == 0 ? 1 : 128,
            Frames = 100 + random.Next(100),
            Resizes = random.Next(4) != 0,
            Truncates = random.Next(2) == 0,
        });

    private static async Task RunAsync(double seconds, Func<Random, StressConfiguration, StressConfiguration> vary)
    {
        DateTime end = DateTime.UtcNow + StressTime.Of(seconds);
        for (int round = 0; DateTime.UtcNow < end; round++)
        {
            int seed = StressTime.Seed + round;
            var random = new Random(seed);
            StressConfiguration configuration = vary(random, new StressConfiguration
            {
                Seed = seed,
                PageSize = 4096 << (2 * random.Next(3)),
                Frames = random.Next(3) == 0 ? 600 : 64 + random.Next(64),
                StealLimit = random.Next(4) switch { 0 => 0, 1 => int.MaxValue, _ => 8 },
                SynchronousContinuations = random.Next(2) == 0,
                OnFiles = random.Next(2) == 0,
                IsGuarded = random.Next(2) == 0,
            });
            try
            {
                await using var stress = new StressRound(configuration);
                await stress.RunAsync(TimeSpan.FromSeconds(1));
                TestContext.Current.TestOutputHelper?.WriteLine($"{configuration}: {stress.Statistics}");
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"Round {round} of seed {StressTime.Seed}: {configuration}", error);
            }
        }
    }
}
