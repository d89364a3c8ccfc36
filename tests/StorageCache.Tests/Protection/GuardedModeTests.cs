using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using StorageCache.Frames;
using StorageCache.Platform;
using StorageCache.Tests.Harness;
using StorageCache.Tests.IO;
using StorageCache.Tests.IO.Restrictions;
using Xunit;

namespace StorageCache.Tests.Protection;

/// <summary>
/// P-20: a stray write through what is for reading ends the process before a byte has changed. So each case has a process of its own,
/// which runs the last test alone. It puts the page itself, not a copy, into a pipe of this process (<c>vmsplice</c>), where its bytes can
/// be looked at when the process is gone.
/// </summary>
public sealed partial class GuardedModeTests
{
    private const string CaseVariable = "STORAGECACHE_STRAY_WRITE";
    private const string PathVariable = "STORAGECACHE_STRAY_WRITE_IN";
    private const string GuardedVariable = "STORAGECACHE_STRAY_WRITE_GUARDED";
    private const int Page = 4096;
    private const int Stray = 100;
    private const int Aborted = 128 + 6;
    private const int Segmentation = 128 + 11;

    public static TheoryData<string> Ways => ["read", "optimistic", "upgraded", "pin", "stream", "downgraded"];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_stray_write_ends_the_process_before_a_byte_has_changed_P_20(string way)
    {
        (int exitCode, string errors, byte[] bytes) = await WriteAstrayAsync(way, isGuarded: true);
        Assert.True(exitCode is Aborted or Segmentation, $"exit code {exitCode}\n{errors}");
        Assert.Equal(-1, bytes.IndexOfAnyExcept((byte)'p'));
    }

    /// <summary>What the others would see if nothing held the write up.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Without_the_guard_it_changes_the_page(string way)
    {
        (int exitCode, string errors, byte[] bytes) = await WriteAstrayAsync(way, isGuarded: false);
        Assert.True(exitCode == 0, $"exit code {exitCode}\n{errors}");
        Assert.Equal(Stray, bytes.IndexOfAnyExcept((byte)'p'));
        Assert.Equal((byte)'!', bytes[Stray]);
    }

    [Fact]
    public async Task A_write_lease_is_writable_and_what_it_writes_is_read_through_the_other_view_F_8()
    {
        await using TestCache test = await TestCache.OpenAsync();
        test.Fill(3, 7);
        using PageReadLease read = test.Mapping.Read(3);
        Assert.Equal(-1, read.Span.IndexOfAnyExcept((byte)7));
        Assert.Equal((false, true), ViewOf(test.Cache, read.Span));
    }

    [Fact]
    public async Task Without_the_guard_there_is_one_view()
    {
        await using TestCache test = await TestCache.OpenAsync(guarded: false);
        using PageReadLease read = test.Mapping.Read(3);
        Assert.Equal((true, true), ViewOf(test.Cache, read.Span));
    }

    /// <summary>With the variables, writes where it must not; without them, only looks.</summary>
    [Fact]
    public async Task A_page_is_taken_for_reading_and_written()
    {
        string[] ways = Environment.GetEnvironmentVariable(CaseVariable) is { } way ? [way] : [.. Ways.Select(row => row.Data)];
        using ScratchDirectory? own = ways.Length == 1 ? null : NewDirectory();
        string path = own?.Path ?? Environment.GetEnvironmentVariable(PathVariable)!;
        await using PageCache cache = new(new PageCacheOptions { MemoryLimit = TestCache.Smallest, Guarded = own is not null || Environment.GetEnvironmentVariable(GuardedVariable) is not null });
        Mapping mapping = await cache.OpenAsync(Path.Combine(path, "file"), new MappingOptions { Exclusive = false, AccessPattern = AccessPattern.Random });
        foreach (string each in ways)
        {
            Take(mapping, each, bytes =>
            {
                Assert.Equal(-1, bytes.IndexOfAnyExcept((byte)'p'));
                if (own is null)
                {
                    WriteAstray(bytes, Path.Combine(path, "pipe"));
                }
            });
        }
    }

    private static void Take(Mapping mapping, string way, Action<ReadOnlySpan<byte>> use)
    {
        switch (way)
        {
            case "optimistic":
                use(mapping.ReadOptimistic(1).Span);
                break;
            case "upgraded":
                Assert.True(mapping.ReadOptimistic(1).TryUpgrade(out PageReadLease upgraded));
                using (upgraded)
                {
                    use(upgraded.Span);
                }

                break;
            case "pin":
                using (PagePin pin = mapping.Pin(1))
                using (PageReadLease lease = pin.Read())
                {
                    use(lease.Span);
                }

                break;
            case "stream":
                using (PageReadStream stream = mapping.OpenReadStream([1, 2]))
                {
                    Assert.True(stream.MoveNext());
                    using PageReadLease lease = stream.Read();
                    use(lease.Span);
                }

                break;
            case "downgraded":
                using (PageReadLease lease = mapping.Write(1).Downgrade())
                {
                    use(lease.Span);
                }

                break;
            default:
                using (PageReadLease lease = mapping.Read(1))
                {
                    use(lease.Span);
                }

                break;
        }
    }

    private static unsafe void WriteAstray(ReadOnlySpan<byte> bytes, string pipe)
    {
        using SafeFileHandle end = Opened(pipe);
        fixed (byte* start = bytes)
        {
            IoVector page = new() { Base = start, Length = Page };
            Assert.Equal(Page, vmsplice(end, &page, 1, 0));
            start[Stray] = (byte)'!';
        }
    }

    private static async Task<(int ExitCode, string Errors, byte[] Bytes)> WriteAstrayAsync(string way, bool isGuarded)
    {
        using ScratchDirectory directory = NewDirectory();
        string path = directory.File("pipe");
        Assert.Equal(0, mkfifo(path, 0x180));
        using SafeFileHandle pipe = Opened(path);
        RestrictedProcess process = new RestrictedProcess().With(CaseVariable, way).With(PathVariable, directory.Path).With("DOTNET_DbgEnableMiniDump", "0");
        if (isGuarded)
        {
            process.With(GuardedVariable, "1");
        }

        (int exitCode, string errors, string output) = await process.RunToItsEndAsync(typeof(GuardedModeTests), nameof(A_page_is_taken_for_reading_and_written));
        byte[] bytes = new byte[Page];
        Assert.True(Read(pipe, bytes) == Page, $"the page was not taken, exit code {exitCode}\n{errors}\n{output}");
        return (exitCode, errors + output, bytes);
    }

    private static unsafe int Read(SafeFileHandle pipe, Span<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            return (int)read(pipe, start, (nuint)bytes.Length);
        }
    }

    private static ScratchDirectory NewDirectory()
    {
        ScratchDirectory directory = new();
        byte[] bytes = new byte[8 * Page];
        bytes.AsSpan().Fill((byte)'p');
        File.WriteAllBytes(directory.File("file"), bytes);
        return directory;
    }

    /// <summary>Both ends of the pipe: neither waits for the other process, and a pipe that is empty says so.</summary>
    private static SafeFileHandle Opened(string pipe)
    {
        SafeFileHandle end = new(LibC.open(pipe, LibC.O_RDWR | LibC.O_NONBLOCK | LibC.O_CLOEXEC, 0), ownsHandle: true);
        Assert.False(end.IsInvalid);
        return end;
    }

    /// <summary>Whether bytes lie in the view for writing, and in the one for reading.</summary>
    private static unsafe (bool Write, bool Read) ViewOf(PageCache cache, ReadOnlySpan<byte> bytes)
    {
        FramePool frames = cache.Core.Frames;
        fixed (byte* first = bytes)
        {
            return ((ulong)(first - frames.Base) < (ulong)frames.AddressBytes, (ulong)(first - frames.ReadBase) < (ulong)frames.AddressBytes);
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkfifo(string path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint read(SafeFileHandle file, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint vmsplice(SafeFileHandle pipe, IoVector* pages, nuint count, uint flags);
}
