using System.Globalization;
using System.Runtime.InteropServices;
using StorageCache.Platform;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.IO.Restrictions;

/// <summary>P-22: processes that cannot have two views of the pages' memory. The error says which option asked for it, and nothing is left behind.</summary>
public sealed partial class NoGuardedMemoryTests
{
    private const string LimitVariable = "STORAGECACHE_NO_GUARDED_MEMORY";
    private const string FileSize = "file size";
    private const string AddressSpace = "address space";
    private const int MaximumAddressSpace = 9;
    private const long Memory = 8L << 30;

    private static int MemfdCreate => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 279 : 319;

    [Theory]
    [InlineData(Errno.ENOSYS)]
    [InlineData(Errno.EPERM)]
    public Task A_process_that_may_not_create_such_memory_is_told_P_22(int errno) =>
        new RestrictedProcess().Forbid(MemfdCreate, errno).With(LimitVariable, string.Create(CultureInfo.InvariantCulture, $"errno {errno}"))
            .RunAsync(typeof(NoGuardedMemoryTests), nameof(A_guarded_cache_is_made_or_the_error_says_why_not));

    [Theory]
    [InlineData(FileSize)]
    [InlineData(AddressSpace)]
    public Task A_process_at_its_limit_is_told_P_22(string limit) =>
        new RestrictedProcess().With(LimitVariable, limit)
            .RunAsync(typeof(NoGuardedMemoryTests), nameof(A_guarded_cache_is_made_or_the_error_says_why_not));

    /// <summary>With the variable, an error; without, a cache. A cache that is not guarded can be had in either case.</summary>
    [Fact]
    public async Task A_guarded_cache_is_made_or_the_error_says_why_not()
    {
        string? limit = Environment.GetEnvironmentVariable(LimitVariable);
        PageCacheOptions options = new() { MemoryLimit = TestCache.Smallest, MaximumMemoryLimit = Memory, Guarded = true };
        if (limit is null)
        {
            await using PageCache cache = new(options);
            return;
        }

        long used = AddressBytes();
        Exception error = limit switch
        {
            FileSize => Refusal(options, LibC.RLIMIT_FSIZE, Memory / 2),

            // Room for one of the two views.
            AddressSpace => Refusal(options, MaximumAddressSpace, used + (Memory / 2 * 3)),
            _ => Assert.ThrowsAny<Exception>(() => new PageCache(options)),
        };
        Assert.InRange(AddressBytes() - used, long.MinValue, Memory / 2);
        string[] expected = limit switch
        {
            FileSize => ["RLIMIT_FSIZE is 4,294,967,296 bytes", $"(errno {Errno.EFBIG})"],
            AddressSpace => ["map twice", $"(errno {Errno.ENOMEM})"],
            _ => ["memfd_create", $"({limit})"],
        };
        Assert.Equal(limit == AddressSpace, error is InsufficientMemoryException);
        Assert.Equal(limit != AddressSpace, error is IOException);
        Assert.All(expected.Append("PageCacheOptions.Guarded"), part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        await using PageCache other = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest, MaximumMemoryLimit = Memory });
    }

    private static unsafe Exception Refusal(PageCacheOptions options, int resource, long most)
    {
        ResourceLimit before;
        Assert.Equal(0, LibC.getrlimit(resource, &before));
        ResourceLimit lowered = new() { Current = (ulong)most, Maximum = before.Maximum };
        Assert.Equal(0, setrlimit(resource, &lowered));
        Exception error = Assert.ThrowsAny<Exception>(() => new PageCache(options));
        Assert.Equal(0, setrlimit(resource, &before));
        return error;
    }

    private static long AddressBytes() =>
        long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[0], CultureInfo.InvariantCulture) * Environment.SystemPageSize;

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int setrlimit(int resource, ResourceLimit* limit);
}
