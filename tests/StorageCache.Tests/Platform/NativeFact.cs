using StorageCache.Platform.Native;
using Xunit;

namespace StorageCache.Tests.Platform;

/// <summary>Skips tests of what this machine does not have, or is told to do without.</summary>
internal static class NativeFact
{
    /// <summary>Skips the test unless the build has made the library, and it is not switched off. Returns its file.</summary>
    public static string NeedsBuilt()
    {
        string? ban = NativeLibraryLoader.Off.FindReason();
        Assert.SkipUnless(ban is null, ban ?? "");
        string file = Path.Combine(AppContext.BaseDirectory, NativeLibraryLoader.FileName);
        Assert.SkipUnless(File.Exists(file), "It was built without a C compiler.");
        return file;
    }

    /// <summary>Skips the test unless the library is there and can do what is asked.</summary>
    public static void Needs(NativeCapabilities capabilities = NativeCapabilities.None)
    {
        NativeLibraryStatus status = NativeLibraryLoader.Current;
        Assert.SkipUnless(status.IsAvailable, status.Reason ?? "");
        Assert.SkipUnless(status.Has(capabilities), $"{capabilities} is needed; there is {status.Capabilities}.");
    }
}
