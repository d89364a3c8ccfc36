using System.Collections.Concurrent;
using StorageCache.IO;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Codecs;

/// <summary>Pages that wait for a log, and are encoded then.</summary>
/// <remarks>PC-2, PC-8, WB-16, WB-18.</remarks>
public sealed class CodecLogTests
{
    /// <summary>What is encoded is on its way to the device: not before the log has it.</summary>
    [Fact]
    public async Task No_page_is_encoded_before_the_log_has_its_last_change()
    {
        const int Pages = 40;
        ScriptedLog log = new() { Holds = true };
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(log: log, codec: codec, memory: TestCache.Smallest);
        ConcurrentQueue<long> early = Watch(codec, log);
        for (int page = 0; page < Pages; page++)
        {
            LoggedPages.Change(test.Mapping, page, LsnOf(page));
        }

        Task flush = test.Mapping.FlushAsync().AsTask();
        log.WaitForPending(1);
        Assert.Equal(0, codec.Encoded);
        log.LetGo();
        await flush.InTime();
        Assert.Empty(early);
        Assert.Equal(Pages, codec.Encoded);
        for (int page = 0; page < Pages; page++)
        {
            Assert.Equal(LsnOf(page), LoggedPages.Read(TestCodecs.Decode(codec, page, test.Device.Bytes(page))));
        }

        Assert.Null(test.Mapping.GetDirtyPages().OldestLsn);
    }

    /// <summary>A run that goes in several transfers, since bounce frames are few, fails in one of them: recovery needs what was left, and no more.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_page_that_is_not_written_or_not_encoded_keeps_its_numbers(bool isEncoded)
    {
        const int Pages = 40;
        const int Bad = 31;
        ScriptedLog log = new();
        ScriptedCodec codec = new(TestCodecs.FileId);
        await using TestCache test = await TestCache.OpenAsync(log: log, codec: codec, memory: TestCache.Smallest);
        ConcurrentQueue<long> early = Watch(codec, log);
        for (int page = 0; page < Pages; page++)
        {
            LoggedPages.Change(test.Mapping, page, LsnOf(page));
        }

        if (isEncoded)
        {
            test.Device.Fault = call => call.Operation == BlockOperation.Write && call.Covers(Bad) ? ScriptedDevice.Eio(call) : null;
        }
        else
        {
            codec.OnEncode += page =>
            {
                if (page == Bad)
                {
                    throw new InvalidOperationException("as scripted");
                }
            };
        }

        Assert.Equal(Bad, (await Assert.ThrowsAsync<PageWriteException>(() => test.Mapping.FlushAsync().InTime())).Page);
        Assert.Equal([new DirtyPage(Bad, LsnOf(Bad), LsnOf(Bad))], test.Mapping.GetDirtyPages().Pages.Where(static page => page.Page == Bad));
        Assert.Equal(1, test.Mapping.DirtyPages);
        test.Device.Fault = null;
        codec.OnEncode = null;
        await test.Mapping.FlushAsync().InTime();
        Assert.Null(test.Mapping.GetDirtyPages().OldestLsn);
        Assert.Equal(LsnOf(Bad), LoggedPages.Read(TestCodecs.Decode(codec, Bad, test.Device.Bytes(Bad))));
        Assert.Empty(early);
    }

    [Fact]
    public async Task A_copy_with_a_log_of_its_own_has_its_sources_codec()
    {
        using ScratchDirectory directory = new();
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest });
        PageCodec codec = TestCodecs.Make("checksum");
        ScriptedLog log = new();
        Mapping source = await cache.OpenAsync(directory.File("source"), new MappingOptions { Log = log, Codec = codec });
        using (PageWriteLease lease = source.WriteNew(3))
        {
            LoggedPages.Change(lease, 17);
        }

        ScriptedLog own = new();
        Mapping same = (await source.CloneAsync(directory.File("same"))).Mapping;
        Mapping other = (await source.CloneAsync(directory.File("other"), own)).Mapping;
        Assert.Equal((codec, log), (same.Codec, same.Log));
        Assert.Equal((codec, own), (other.Codec, other.Log));
        foreach (Mapping copy in new[] { same, other })
        {
            await copy.CloseAsync().InTime();
            Mapping again = await cache.OpenAsync(copy.Path, new MappingOptions { Codec = codec });
            using PageReadLease lease = again.Read(3);
            Assert.Equal(17UL, LoggedPages.Read(lease.Span));
        }
    }

    private static ulong LsnOf(long page) => 100 + (ulong)page;

    /// <summary>Has a codec note each page that it is given before the log has it.</summary>
    private static ConcurrentQueue<long> Watch(ScriptedCodec codec, ScriptedLog log)
    {
        ConcurrentQueue<long> early = [];
        codec.OnEncode = page =>
        {
            if (log.DurableLsn < LsnOf(page))
            {
                early.Enqueue(page);
            }
        };
        return early;
    }
}
