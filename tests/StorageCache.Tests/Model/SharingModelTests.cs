using CsCheck;
using StorageCache.Tests.FileSystems;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Model;

/// <summary>As <see cref="ModelTests"/>, over files that have many pages in common.</summary>
/// <remarks>SH-1 to SH-9, P-1 to P-10.</remarks>
public sealed class SharingModelTests
{
    private static readonly Gen<SharingOperation> s_operation = Gen.Select(
        Gen.Enum<SharingAction>(),
        Gen.Int[0, 6],
        Gen.Frequency((2, Gen.Int[0, 5]), (3, Gen.Int[0, 79])),
        Gen.Int[0, 1_000_000_000],
        (action, file, page, value) => new SharingOperation(action, file, page, value));

    private static readonly Gen<SharingDomain> s_byContent = Gen.Bool.Select(isHardened => Domain(extents: false, content: true, isHardened));

    private static readonly Gen<SharingDomain> s_any = Gen.Select(Gen.Int[0, 3], Gen.Bool, (what, isHardened) => Domain(what is 0 or 1, what is 1 or 2, isHardened));

    [Theory]
    [InlineData(4096)]
    [InlineData(16384)]
    public Task Devices_in_memory_share_by_content(int pageSize) => CheckAsync(pageSize, s_byContent, directory: null, seconds: 2);

    [Theory]
    [InlineData(FileSystem.Xfs, 4096)]
    [InlineData(FileSystem.Xfs, 16384)]
    [InlineData(FileSystem.Btrfs, 4096)]
    [InlineData(FileSystem.Btrfs, 16384)]
    [InlineData(FileSystem.Tmpfs, 4096)]
    public async Task Files_share_by_extent_by_content_by_both_or_not_at_all(string fileSystem, int pageSize)
    {
        using MountedFileSystem mounted = FileSystem.Mount(fileSystem);
        await CheckAsync(pageSize, s_any, mounted.Path, seconds: 3);
    }

    private static SharingDomain Domain(bool extents, bool content, bool isHardened) =>
        new($"extents {extents}, content {content}, hardened {isHardened}") { SharesExtents = extents, SharesContent = content, IsHardened = isHardened };

    private static Task CheckAsync(int pageSize, Gen<SharingDomain> domains, string? directory, double seconds) =>
        Gen.Select(Gen.Bool, Gen.Bool, domains, s_operation.Array[1, 80]).SampleAsync(
            async (isTiny, isGuarded, domain, operations) =>
            {
                await using var run = new SharingModelRun(pageSize, isTiny, isGuarded, domain, directory);
                await run.RunAsync(operations);
            },
            time: Math.Max(1, (int)StressTime.Of(seconds).TotalSeconds),
            threads: 1);
}
