using System.Globalization;
using System.Numerics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using StorageCache.Platform;
using StorageCache.Platform.Native;
using Xunit;

namespace StorageCache.Tests.Platform;

/// <summary>N-12: what is declared here is what the library has.</summary>
public partial class NativeLayoutTests
{
    [Fact]
    public void Structures_lie_in_memory_as_the_library_has_them()
    {
        NativeFact.Needs();
        AssertLayout<RingRequest>(NativeStructure.Request);
        AssertLayout<RingCompletion>(NativeStructure.Completion);
        AssertLayout<RingProperties>(NativeStructure.RingProperties);
        AssertLayout<FileExtent>(NativeStructure.Extent);
        AssertLayout<IoVector>(NativeStructure.IoVector);
    }

    [Fact]
    public unsafe void An_unknown_structure_is_refused()
    {
        NativeFact.Needs();
        Assert.Equal(-Errno.EINVAL, NativeMethods.StructLayout((NativeStructure)99, null, 0));
    }

    [Fact]
    public void Every_function_of_the_header_is_declared_and_exported()
    {
        NativeFact.Needs();
        nint handle = NativeLibrary.Load(NativeLibraryLoader.Current.Path!);
        List<string> declared = [.. EntryPoints().Order(StringComparer.Ordinal)];
        Assert.All(declared, name => Assert.True(NativeLibrary.TryGetExport(handle, name, out _), name));
        NativeLibrary.Free(handle);

        List<string> inHeader = [.. Declaration().Matches(Header()).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal)];
        Assert.Equal(inHeader, declared);
    }

    [Theory]
    [InlineData("SC_ABI_VERSION", NativeLibraryLoader.AbiVersion)]
    [InlineData("SC_REAP_MAX", NativeMethods.ReapMax)]
    public void Constants_are_those_of_the_header(string name, int value)
    {
        Match match = Regex.Match(Header(), $@"#define {name} (\d+)");
        Assert.Equal(value.ToString(CultureInfo.InvariantCulture), match.Groups[1].Value);
    }

    [Theory]
    [InlineData("SC_CAPABILITY_", typeof(NativeCapabilities))]
    [InlineData("SC_RING_FEATURE_", typeof(RingFeatures))]
    [InlineData("SC_RING_", typeof(RingFlags))]
    [InlineData("SC_REQUEST_", typeof(RingRequestFlags))]
    [InlineData("SC_COMPLETIONS_", typeof(CompletionStates))]
    [InlineData("SC_EXTENT_", typeof(ExtentFlags))]
    [InlineData("SC_EXTENTS_", typeof(ExtentQueryFlags))]
    [InlineData("SC_VIEW_", typeof(ViewFlags))]
    public void Flags_are_those_of_the_header(string prefix, Type type)
    {
        // Names differ in style: which bits there are is what is compared.
        IEnumerable<int> inHeader = Regex.Matches(Header(), $@"#define {prefix}(?!FEATURE_)[A-Z_]+ \(1u << (\d+)\)")
            .Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        IEnumerable<int> declared = Enum.GetValuesAsUnderlyingType(type).Cast<object>()
            .Select(value => Convert.ToUInt64(value, CultureInfo.InvariantCulture))
            .Where(value => value != 0)
            .Select(value => BitOperations.TrailingZeroCount(value));
        Assert.Equal(inHeader.Order(), declared.Order());
    }

    [Fact]
    public void Only_what_makes_no_system_call_suppresses_the_transition()
    {
        string[] suppressed = [.. Methods()
            .Where(method => method.GetCustomAttribute<SuppressGCTransitionAttribute>() is not null)
            .Select(method => method.Name)
            .Order(StringComparer.Ordinal)];
        Assert.Equal(["RingHasCompletions", "RingOutstanding", "RingReap", "RingSpace"], suppressed);
    }

    private static unsafe void AssertLayout<T>(NativeStructure structure)
        where T : unmanaged
    {
        uint* values = stackalloc uint[32];
        int count = NativeMethods.StructLayout(structure, values, 32);
        List<uint> actual = [(uint)sizeof(T), AlignmentOf<T>()];
        foreach (FieldInfo field in typeof(T).GetFields(BindingFlags.Instance | BindingFlags.Public).OrderBy(field => field.MetadataToken))
        {
            actual.Add((uint)Marshal.OffsetOf<T>(field.Name));
        }

        Assert.Equal(new ReadOnlySpan<uint>(values, count).ToArray(), actual);
    }

    private static unsafe uint AlignmentOf<T>()
        where T : unmanaged => (uint)(sizeof(Padded<T>) - sizeof(T));

    private static MethodInfo[] Methods() =>
        typeof(NativeMethods).GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly);

    private static IEnumerable<string> EntryPoints() =>
        Methods().Select(method => method.GetCustomAttribute<LibraryImportAttribute>()?.EntryPoint
            ?? method.GetCustomAttribute<DllImportAttribute>()!.EntryPoint!);

    private static string Header([CallerFilePath] string path = "") =>
        File.ReadAllText(Path.Combine(Path.GetDirectoryName(path)!, "../../../native/include/storagecache_native.h"));

    [GeneratedRegex(@"SC_EXPORT int(?:32|64)_t (sc_[a-z_]+)\(")]
    private static partial Regex Declaration();

    [StructLayout(LayoutKind.Sequential)]
    private struct Padded<T>
        where T : unmanaged
    {
        public byte First;
        public T Value;
    }
}
