using CsCheck;
using StorageCache.Tests.IO;
using StorageCache.Tests.Model;
using StorageCache.Tests.Stress;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <summary>The random sequences of <see cref="ModelTests"/>, with a codec: a flush compares what the device holds, decoded, with the model.</summary>
public sealed class CodecModelTests
{
    [Theory]
    [InlineData("checksum", 4096, false)]
    [InlineData("checksum", 16384, true)]
    [InlineData("aes", 4096, true)]
    [InlineData("scripted", 4096, false)]
    public Task A_cache_with_a_codec_behaves_as_an_array_of_bytes(string kind, int pageSize, bool onFiles) =>
        Gen.Select(Gen.Bool, Gen.Bool, Gen.Bool, ModelTests.Operations.Array[1, 80]).SampleAsync(
            async (isTiny, isSynchronous, isGuarded, operations) =>
            {
                await using var run = new ModelRun(
                    pageSize, isTiny, onFiles ? new ScratchDirectory() : null, isSynchronous, isGuarded: isGuarded, codec: TestCodecs.Make(kind));
                await run.RunAsync(operations);
            },
            time: Math.Max(1, (int)StressTime.Of(2).TotalSeconds),
            threads: 1);
}
