using System.Collections.Concurrent;
using System.Diagnostics;
using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Sharing;

/// <summary>
/// The file system moves blocks all the time, while files that have them in common are opened, read, written, cloned, evicted and
/// closed: nobody reads a wrong byte.
/// </summary>
/// <remarks>SH-1 to SH-4, SH-7.</remarks>
public sealed class RelocationStormTests
{
    private const int Rounds = 6;
    private const int StepsPerRound = 400;
    private const int Workers = 3;

    [Fact]
    public async Task Balancing_and_defragmenting_btrfs() => await RunAsync(
        MountedFileSystem.Loop("btrfs", 512L << 20),
        (random, scratch, file) => random.Next(4) switch
        {
            0 => ("btrfs", ["balance", "start", "-d", "--full-balance", scratch.PathOf("")]),
            1 => ("btrfs", ["filesystem", "defragment", "-f", "-t", "64M", file]),
            2 => ("btrfs", ["filesystem", "sync", scratch.PathOf("")]),
            _ => Dedupe(random, scratch, file),
        },
        file => ("btrfs", ["filesystem", "defragment", "-f", "-t", "64M", file]));

    /// <remarks>
    /// Files are reorganised while their clones are open, and they themselves are not: <c>xfs_fsr</c> goes by a file's times to see that
    /// nobody has written to it meanwhile, and these do not tell writes apart that come right after each other.
    /// </remarks>
    [Fact]
    public async Task Reorganising_and_deduplicating_xfs() => await RunAsync(
        MountedFileSystem.Loop("xfs", 512L << 20),
        (random, scratch, file) => random.Next(3) switch
        {
            0 => ("sync", ["--file-system", scratch.PathOf("")]),
            _ => Dedupe(random, scratch, file),
        },
        file => ("xfs_fsr", ["-v", file]));

    /// <summary>Has the kernel give two files one block, if it finds that they hold the same.</summary>
    private static (string Program, string[] Arguments) Dedupe(Random random, SharingScratch scratch, string file)
    {
        string other = scratch.PathOf($"file{random.Next(StormFiles.Count)}");
        long at = random.Next(StormFiles.Pages) * (long)SharingScratch.PageSize;
        long bytes = Math.Min(random.Next(1, 32) * (long)SharingScratch.PageSize, (StormFiles.Pages * (long)SharingScratch.PageSize) - at);
        return ("xfs_io", ["-c", $"dedupe {other} {at} {at} {bytes}", file]);
    }

    /// <param name="disk">Where the files are.</param>
    /// <param name="next">The next thing to be done by whoever moves blocks, given a file.</param>
    /// <param name="whileClosed">What is done to a file that has been closed and is opened again.</param>
    private static async Task RunAsync(
        MountedFileSystem disk,
        Func<Random, SharingScratch, string, (string Program, string[] Arguments)> next,
        Func<string, (string Program, string[] Arguments)> whileClosed)
    {
        await using SharingScratch scratch = new(disk, memory: 0);
        ConcurrentDictionary<string, int> done = new();
        StormFiles files = new(scratch, path => Do(whileClosed(path)));
        await files.CreateAsync();
        TimeSpan time = StressTime.Of(12);
        Stopwatch clock = Stopwatch.StartNew();
        for (int round = 0; round < Rounds || (StressTime.Minutes is not null && clock.Elapsed < time); round++)
        {
            using CancellationTokenSource end = new();
            Random random = new(unchecked(StressTime.Seed + round));
            Task mover = Task.Run(() =>
            {
                while (!end.IsCancellationRequested)
                {
                    Do(next(random, scratch, scratch.PathOf($"file{random.Next(StormFiles.Count)}")));
                }
            });
            int seed = unchecked(StressTime.Seed + (1000 * round));
            try
            {
                await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(() => files.WorkAsync(new Random(seed + worker), StepsPerRound))));
            }
            finally
            {
                await end.CancelAsync();
                await mover;
            }

            await scratch.CheckAsync($"round {round}");
            await files.AssertAllAsync();
        }

        Assert.Contains(whileClosed("").Program, done);
        Assert.Contains("xfs_io", done);
        Assert.True(scratch.Cache.GetStatistics().ReadsAvoided > 0);

        // Some fail: a file has gone or is held, or two do not hold the same.
        void Do((string Program, string[] Arguments) what)
        {
            if (MountedFileSystem.TryRun(what.Program, what.Arguments) is null)
            {
                done.AddOrUpdate(what.Program, 1, static (_, count) => count + 1);
            }
        }
    }
}
