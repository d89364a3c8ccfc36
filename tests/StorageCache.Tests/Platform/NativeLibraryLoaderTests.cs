using StorageCache.Platform.Native;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Platform;

/// <summary>N-13: the library is there, or a sentence says why it is not.</summary>
public sealed class NativeLibraryLoaderTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_library_that_was_built_is_beside_the_tests_and_is_loaded()
    {
        string beside = NativeFact.NeedsBuilt();
        NativeLibraryStatus status = NativeLibraryLoader.Current;
        Assert.True(status.IsAvailable, status.Reason);
        Assert.Null(status.Reason);
        Assert.Equal(beside, status.Path);
        Assert.Equal(NativeLibraryLoader.AbiVersion, NativeMethods.AbiVersion());
        Assert.True(status.Has(NativeCapabilities.Extents | NativeCapabilities.Clone));
        Assert.Equal(status.Capabilities, (NativeCapabilities)NativeMethods.Capabilities());
        Assert.Same(status, NativeLibraryLoader.Current);
    }

    [Fact]
    public void A_file_that_is_not_there_is_passed_over()
    {
        string path = NativeFact.NeedsBuilt();
        NativeLibraryStatus status = NativeLibraryLoader.TryLoad([_directory.File("none.so"), path], out nint handle);
        Assert.True(status.IsAvailable, status.Reason);
        Assert.Equal(path, status.Path);
        Assert.NotEqual(0, handle);
    }

    [Fact]
    public void No_file_at_all_is_a_reason_that_names_the_folders()
    {
        NativeLibraryStatus status = NativeLibraryLoader.TryLoad([_directory.File("none.so")], out nint handle);
        Assert.False(status.IsAvailable);
        Assert.Null(status.Path);
        Assert.Equal(0, handle);
        Assert.Equal($"The native library libstoragecache_native.so is in none of these folders: {_directory.Path}.", status.Reason);
        Assert.False(status.Has(NativeCapabilities.None));
        Assert.Equal(status.Reason, status.ToString());
    }

    [Fact]
    public void A_file_that_is_no_library_is_a_reason()
    {
        string path = _directory.File("text.so");
        File.WriteAllText(path, "not a library");
        NativeLibraryStatus status = NativeLibraryLoader.TryLoad([path], out nint handle);
        Assert.False(status.IsAvailable);
        Assert.Equal(0, handle);
        Assert.StartsWith($"The native library {path} cannot be loaded: ", status.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_library_is_a_reason()
    {
        string path = Compile("int somebody_else(void) { return 1; }");
        NativeLibraryStatus status = NativeLibraryLoader.TryLoad([path], out nint handle);
        Assert.Equal($"{path} is not StorageCache's native library.", status.Reason);
        Assert.Equal(0, handle);
    }

    [Fact]
    public void Another_version_is_a_reason()
    {
        string path = Compile("int sc_abi_version(void) { return 4711; } long sc_capabilities(void) { return 0; }");
        NativeLibraryStatus status = NativeLibraryLoader.TryLoad([path], out nint handle);
        Assert.Equal($"The native library {path} has version 4711 of the interface, and {NativeLibraryLoader.AbiVersion} is needed.", status.Reason);
        Assert.Equal(0, handle);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("true")]
    [InlineData("TRUE")]
    public void A_variable_forbids_it(string value)
    {
        string? reason = NativeLibraryLoader.Off.FindReason(_ => false, name => name == "STORAGECACHE_DISABLE_NATIVE" ? value : null);
        Assert.Equal("The native library is switched off: environment variable STORAGECACHE_DISABLE_NATIVE.", reason);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("false")]
    public void Other_values_of_the_variable_do_not(string? value) => Assert.Null(NativeLibraryLoader.Off.FindReason(_ => false, _ => value));

    [Fact]
    public void A_switch_forbids_it()
    {
        string? reason = NativeLibraryLoader.Off.FindReason(name => name == "StorageCache.DisableNativeLibrary", _ => null);
        Assert.Equal("The native library is switched off: AppContext switch StorageCache.DisableNativeLibrary.", reason);
    }

    private string Compile(string source)
    {
        string unit = _directory.File("fake.c");
        string library = _directory.File("fake.so");
        File.WriteAllText(unit, source);
        string? failure = MountedFileSystem.TryRun("cc", "-shared", "-fPIC", "-o", library, unit);
        Assert.SkipUnless(failure is null, $"No C compiler: {failure}");
        return library;
    }
}
