using StorageCache.IO.Ring;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using StorageCache.Tests.Platform;
using Xunit;

namespace StorageCache.Tests.IO.Restrictions;

/// <summary>
/// A process that may not have a ring: <see cref="IoEngine.Auto"/> takes threads and says why, and who asks for a ring by name is told.
/// Each case has a process of its own, which runs the last test alone.
/// </summary>
public class RestrictedEngineTests
{
    private const string CaseVariable = "STORAGECACHE_RESTRICTED_ENGINE";
    private const string DepthVariable = "STORAGECACHE_RESTRICTED_ENGINE_DEPTH";
    private const int IoUringSetup = 425;
    private const int IoUringEnter = 426;

    [Theory]
    [InlineData(IoUringSetup, Errno.EPERM, "This process may not use io_uring")]
    [InlineData(IoUringSetup, Errno.ENOSYS, "The kernel has no io_uring, or a seccomp filter hides it")]
    [InlineData(IoUringEnter, Errno.EPERM, "This process may not use io_uring")]
    [InlineData(IoUringEnter, Errno.ENOSYS, "The kernel has no io_uring, or a seccomp filter hides it")]
    public Task Forbidden_by_a_seccomp_filter(int systemCall, int errno, string reason)
    {
        NeedsRing();
        return new RestrictedProcess()
            .Forbid(systemCall, errno)
            .With(CaseVariable, $"{reason}|(errno {errno})")
            .RunAsync(typeof(RestrictedEngineTests), nameof(The_engine_is_what_the_process_may_have));
    }

    /// <summary>What puts the whole suite on a lower rung.</summary>
    [Theory]
    [InlineData(RingAvailability.DisableVariable, "io_uring is switched off")]
    [InlineData(NativeLibraryLoader.DisableVariable, "The native library is switched off")]
    public Task Switched_off_by_a_variable(string variable, string reason)
    {
        NeedsRing();
        return new RestrictedProcess()
            .With(variable, "1")
            .With(CaseVariable, $"{reason}|{variable}")
            .RunAsync(typeof(RestrictedEngineTests), nameof(The_engine_is_what_the_process_may_have));
    }

    /// <summary>Not even the smallest ring.</summary>
    [Fact]
    public Task No_memory_may_be_locked()
    {
        NeedsRing();
        return new RestrictedProcess()
            .LockAtMost(0)
            .With(CaseVariable, "The kernel gives no memory for a ring (RLIMIT_MEMLOCK)|(errno 12)")
            .RunAsync(typeof(RestrictedEngineTests), nameof(The_engine_is_what_the_process_may_have));
    }

    /// <summary>There is room for a small ring, and not for the one that is asked for.</summary>
    [Fact]
    public Task Less_memory_may_be_locked_than_the_depth_needs()
    {
        NeedsRing();
        return new RestrictedProcess()
            .LockAtMost(64 << 10)
            .With(DepthVariable, "4096")
            .With(CaseVariable, "The kernel gives no memory for a ring (RLIMIT_MEMLOCK)|(errno 12)")
            .RunAsync(typeof(RestrictedEngineTests), nameof(The_engine_is_what_the_process_may_have));
    }

    [Fact]
    public Task Enough_memory_may_be_locked_without_any_privilege()
    {
        NeedsRing();
        return new RestrictedProcess()
            .LockAtMost(1 << 20)
            .With(CaseVariable, "")
            .RunAsync(typeof(RestrictedEngineTests), nameof(The_engine_is_what_the_process_may_have));
    }

    /// <summary>Whatever the variable says is what there is; in this process, what there is.</summary>
    [Fact]
    public async Task The_engine_is_what_the_process_may_have()
    {
        string[]? expected = Environment.GetEnvironmentVariable(CaseVariable)?.Split('|', StringSplitOptions.RemoveEmptyEntries);
        bool hasRing = expected is null ? RingAvailability.Reason is null : expected.Length == 0;
        await using (PageCache cache = NewCache(IoEngine.Auto))
        {
            Assert.Equal(hasRing ? IoEngine.IoUring : IoEngine.Threads, cache.Capabilities.IoEngine);
            Assert.Equal(hasRing, cache.Capabilities.NoIoUring is null);
            Assert.All(expected ?? [], part => Assert.Contains(part, cache.Capabilities.NoIoUring, StringComparison.Ordinal));
            await ReadItselfAsync(cache);
        }

        if (hasRing)
        {
            await using PageCache cache = NewCache(IoEngine.IoUring);
            await ReadItselfAsync(cache);
            return;
        }

        IoEngineUnavailableException error = Assert.Throws<IoEngineUnavailableException>(() => NewCache(IoEngine.IoUring));
        Assert.Equal(IoEngine.IoUring, error.Engine);
        Assert.All(expected ?? [], part => Assert.Contains(part, error.Reason, StringComparison.Ordinal));
        await using PageCache threads = NewCache(IoEngine.Threads);
        await ReadItselfAsync(threads);
    }

    private static void NeedsRing()
    {
        NativeFact.Needs(NativeCapabilities.Ring);
        Assert.SkipUnless(RingAvailability.Reason is null, RingAvailability.Reason ?? "");
    }

    private static PageCache NewCache(IoEngine engine) => new(new PageCacheOptions
    {
        MemoryLimit = 1 << 20,
        IoEngine = engine,
        IoQueueDepth = int.Parse(Environment.GetEnvironmentVariable(DepthVariable) ?? "128", System.Globalization.CultureInfo.InvariantCulture),
    });

    /// <summary>The engine that was chosen works.</summary>
    private static async Task ReadItselfAsync(PageCache cache)
    {
        string path = typeof(RestrictedEngineTests).Assembly.Location;
        byte[] bytes = await File.ReadAllBytesAsync(path);
        Mapping mapping = await cache.OpenAsync(path, new MappingOptions { ReadOnly = true, Exclusive = false, Mode = MappingMode.Open });
        for (int page = 0; page < 20; page++)
        {
            using PageReadLease lease = await mapping.ReadAsync(page);
            Assert.True(lease.Span.SequenceEqual(bytes.AsSpan(page * cache.PageSize, cache.PageSize)));
        }

        await mapping.CloseAsync();
    }
}
