using System.Diagnostics;
using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Stress.Storms;

/// <summary>
/// Everything that can be done to files, at once, on a real file system and in a cache of the least memory, in rounds with ever
/// different settings: no page ever reads as anything but what was written to it last.
/// </summary>
/// <remarks>SH-1 to SH-3, SH-5, SH-7, SH-9, P-4, P-5, P-7, WB-1, WB-8, F-1.</remarks>
public sealed class FileStormTests
{
    /// <summary>Rounds in the normal suite.</summary>
    private const int Rounds = 3;

    private const long DiskBytes = 512L << 20;

    [Theory]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    public async Task Every_page_reads_as_it_was_written_last(string fileSystem)
    {
        using MountedFileSystem disk = MountedFileSystem.Loop(fileSystem, DiskBytes);
        bool isLong = StressTime.Minutes is not null;
        TimeSpan time = TimeSpan.FromSeconds(isLong ? 6 : 1);
        Stopwatch clock = Stopwatch.StartNew();
        for (int round = 0; isLong ? clock.Elapsed < StressTime.Of(0) : round < Rounds; round++)
        {
            StormSettings settings = StormSettings.Draw(fileSystem, unchecked(StressTime.Seed + round));
            try
            {
                await using FileStorm storm = new(settings, disk.Path);
                await storm.RunAsync(time);
                TestContext.Current.TestOutputHelper?.WriteLine($"{settings}: {storm.Summary}");
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"Seed {settings.Seed}, round {round}: {settings}", error);
            }
        }
    }
}
