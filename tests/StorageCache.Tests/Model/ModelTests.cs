using CsCheck;
using StorageCache.Tests.IO;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Model;

/// <summary>
/// Random sequences on a cache and on a naive model, by CsCheck: a failure prints a seed and is shrunk to a short
/// sequence. Run it again with the seed in the environment variable <c>CsCheck_Seed</c>.
/// </summary>
public sealed class ModelTests
{
    internal static readonly Gen<ModelOperation> Operations = Gen.Select(
        Gen.Enum<ModelAction>(),
        Gen.Int[0, 2],
        Gen.Frequency((1, Gen.Int[0, 5]), (3, Gen.Int[0, 119])),
        Gen.Int[0, 1_000_000_000],
        (action, file, page, value) => new ModelOperation(action, file, page, value));

    [Theory]
    [InlineData(4096)]
    [InlineData(16384)]
    [InlineData(65536)]
    public Task A_cache_over_memory_devices_behaves_as_an_array_of_bytes(int pageSize) => CheckAsync(pageSize, onFiles: false, seconds: 2);

    [Theory]
    [InlineData(4096)]
    [InlineData(16384)]
    [InlineData(65536)]
    public Task A_cache_over_files_behaves_as_an_array_of_bytes(int pageSize) => CheckAsync(pageSize, onFiles: true, seconds: 3);

    private static Task CheckAsync(int pageSize, bool onFiles, double seconds) =>
        Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, Operations.Array[1, 80]).SampleAsync(
            async (isTiny, isSynchronous, isGuarded, operations) =>
            {
                await using var run = new ModelRun(pageSize, isTiny, onFiles ? new ScratchDirectory() : null, isSynchronous, isGuarded: isGuarded);
                await run.RunAsync(operations);
            },
            time: Math.Max(1, (int)StressTime.Of(seconds).TotalSeconds),
            threads: 1);
}
