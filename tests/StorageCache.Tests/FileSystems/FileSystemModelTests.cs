using CsCheck;
using StorageCache.Tests.IO;
using StorageCache.Tests.Model;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.FileSystems;

/// <summary>The random sequences of <see cref="ModelTests"/> on each file system, each with an engine and a page size by chance.</summary>
public sealed class FileSystemModelTests
{
    private static readonly Gen<IoEngine> s_engine = Gen.Int[0, TestEngines.Available.Length - 1].Select(i => TestEngines.Available[i]);

    [Theory]
    [InlineData(FileSystem.Ext4)]
    [InlineData(FileSystem.JournalledExt4)]
    [InlineData(FileSystem.Xfs)]
    [InlineData(FileSystem.Btrfs)]
    [InlineData(FileSystem.Tmpfs)]
    public async Task A_cache_over_files_behaves_as_an_array_of_bytes(string fileSystem)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        await Gen.Select(s_engine, Gen.Int[0, 1], Gen.Bool, ModelTests.Operations.Array[1, 60]).SampleAsync(
            async (engine, isLarge, isSynchronous, operations) =>
            {
                await using var run = new ModelRun(4096 << (2 * isLarge), isTiny: true, new ScratchDirectory(mounted.Path), isSynchronous, engine);
                await run.RunAsync(operations);
            },
            time: Math.Max(1, (int)StressTime.Of(2).TotalSeconds),
            threads: 1);
    }
}
