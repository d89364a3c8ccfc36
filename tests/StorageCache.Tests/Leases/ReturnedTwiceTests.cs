using System.Diagnostics;
using System.Reflection;
using StorageCache.Tests.Harness;
using Xunit;

namespace StorageCache.Tests.Leases;

/// <summary>
/// Two copies of one lease both returned: the process ends rather than hand one page to two writers, or to nobody for ever. So each
/// case has a process of its own, which runs the second test alone.
/// </summary>
public class ReturnedTwiceTests
{
    private const string CaseVariable = "STORAGECACHE_RETURNED_TWICE";
    private const string OfLease = "StorageCache: a page lease was returned that is not held (a copy of a lease was disposed twice); the latch state is corrupt.";
    private const string OfPin = "StorageCache: a pin was returned that is not held (a copy of a pin was disposed twice); the pin count is corrupt.";
    private const int Aborted = 128 + 6;

    [Theory]
    [InlineData("read, read", OfLease)]
    [InlineData("write, write", OfLease)]
    [InlineData("write, downgraded", OfLease)]
    [InlineData("downgraded, write", OfLease)]
    [InlineData("downgraded, downgraded", OfLease)]
    [InlineData("pin, pin", OfPin)]
    public async Task Returning_a_lease_that_is_not_held_ends_the_process(string what, string message)
    {
        string dll = Assembly.GetExecutingAssembly().Location;
        ProcessStartInfo start = new(Path.ChangeExtension(dll, null))
        {
            ArgumentList = { "-noColor", "-method", $"*.{nameof(ReturnedTwiceTests)}.{nameof(Each_copy_of_a_lease_is_returned)}" },
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment[CaseVariable] = what;
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(errors.Contains(message, StringComparison.Ordinal), $"{what}: {errors}\n{await output}");
        Assert.Equal(Aborted, process.ExitCode);
    }

    /// <summary>Whatever the variable says is returned; in this process one copy, and all is well.</summary>
    [Fact]
    public async Task Each_copy_of_a_lease_is_returned()
    {
        string what = Environment.GetEnvironmentVariable(CaseVariable) ?? "write";
        await using TestCache test = await TestCache.OpenAsync();
        PageReadLease read = what.StartsWith("read", StringComparison.Ordinal) ? test.Mapping.Read(3) : default;
        PagePin pin = what.StartsWith("pin", StringComparison.Ordinal) ? test.Mapping.Pin(3) : default;
        PageWriteLease write = read.IsHeld || pin.IsHeld ? default : test.Mapping.Write(3);
        foreach (string copy in what.Split(", "))
        {
            PageReadLease readCopy = read;
            PageWriteLease writeCopy = write;
            PagePin pinCopy = pin;
            switch (copy)
            {
                case "downgraded":
                    writeCopy.Downgrade();
                    break;
                default:
                    readCopy.Dispose();
                    writeCopy.Dispose();
                    pinCopy.Dispose();
                    break;
            }
        }
    }
}
