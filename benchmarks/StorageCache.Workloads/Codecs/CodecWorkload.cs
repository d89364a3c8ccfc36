using System.Security.Cryptography;
using StorageCache.Workloads.Reporting;

namespace StorageCache.Workloads.Codecs;

/// <summary>What codecs cost: loads and stores with each, beside the same without, in turns.</summary>
internal sealed class CodecWorkload : IWorkload
{
    /// <inheritdoc/>
    public string Name => "codec";

    /// <inheritdoc/>
    public string Description => "loads and stores of pages on a device in memory with each codec, beside the same without";

    /// <inheritdoc/>
    public async Task RunAsync(WorkloadContext context)
    {
        int rounds = context.Rounds(quickRounds: 7, fullRounds: 15);
        int reads = context.Quick ? 20_000 : 100_000;
        int flushes = context.Quick ? 20 : 100;
        using AesGcmPageCodec aes = new(Guid.NewGuid(), RandomNumberGenerator.GetBytes(32));
        await using CodedPages plain = await CodedPages.OpenAsync(null);
        await using CodedPages summed = await CodedPages.OpenAsync(new ChecksumPageCodec(Guid.NewGuid()));
        await using CodedPages encrypted = await CodedPages.OpenAsync(aes);
        (string Name, CodedPages Pages)[] variants = [("none", plain), ("checksum", summed), ("aes", encrypted)];
        NamedSamples samples = new();

        // The first round brings the code to its final form, and does not count.
        for (int round = -1; round < rounds; round++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            for (int i = 0; i < variants.Length; i++)
            {
                // Each round begins with another.
                (string name, CodedPages pages) = variants[(i + round + 1) % variants.Length];
                double load = pages.Load(reads);
                double store = await pages.StoreAsync(flushes);
                if (round >= 0)
                {
                    samples.Add($"codec.load.{name}_us", load);
                    samples.Add($"codec.store.{name}_us", store);
                }
            }
        }

        foreach (string what in new[] { "load", "store" })
        {
            foreach ((string name, _) in variants)
            {
                context.Report.Add($"codec.{what}.{name}_us", samples[$"codec.{what}.{name}_us"], "us");
            }

            foreach ((string name, _) in variants[1..])
            {
                context.Report.Add($"codec.{what}.{name}_ratio_to_none", RoundSamples.Ratio(samples[$"codec.{what}.{name}_us"], samples[$"codec.{what}.none_us"]), "ratio");
            }
        }
    }
}
