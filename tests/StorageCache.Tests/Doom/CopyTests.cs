using Xunit;

namespace StorageCache.Tests.Doom;

/// <summary>Who returns a copy of what was returned already is ended, and told why.</summary>
public class CopyTests
{
    private const string OfLease = "StorageCache: a page lease was returned that is not held (a copy of a lease was disposed twice); the latch state is corrupt.";
    private const string OfPin = "StorageCache: a pin was returned that is not held (a copy of a pin was disposed twice); the pin count is corrupt.";
    private const int Aborted = 128 + 6;

    [Theory]
    [InlineData("read", OfLease)]
    [InlineData("write", OfLease)]
    [InlineData("write-downgraded", OfLease)]
    [InlineData("pin", OfPin)]
    public void A_copy_that_is_returned_after_the_original_ends_the_process(string misuse, string message)
    {
        (int exitCode, string output, string error) = DoomedProcess.Run(misuse);
        Assert.Equal("begun\n", output);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Equal(Aborted, exitCode);
    }

    [Fact]
    public void A_process_that_copies_nothing_lives()
    {
        (int exitCode, string output, string error) = DoomedProcess.Run("nothing");
        Assert.Equal("", error);
        Assert.Equal("begun\nsurvived\n", output);
        Assert.Equal(0, exitCode);
    }
}
