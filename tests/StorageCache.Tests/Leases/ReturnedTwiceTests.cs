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

    [Theory]
    [InlineData("read, read")]
    [InlineData("write, write")]
    [InlineData("write, downgraded")]
    [InlineData("downgraded, write")]
    [InlineData("downgraded, downgraded")]
    [InlineData("pin, pin")]
    public async Task Returning_a_lease_that_is_not_held_ends_the_process(string what)
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

        Assert.NotEqual(0, process.ExitCode);
        Assert.True(errors.Contains("was returned that is not held", StringComparison.Ordinal), $"{what}: {errors}\n{await output}");
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
