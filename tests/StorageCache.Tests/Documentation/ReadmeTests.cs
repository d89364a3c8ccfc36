using System.Runtime.CompilerServices;
using StorageCache.Tests.IO;
using Xunit;

namespace StorageCache.Tests.Documentation;

public class ReadmeTests
{
    [Fact]
    public async Task The_example_of_the_readme_runs_and_leaves_its_page_in_the_file()
    {
        using ScratchDirectory directory = new();
        string path = directory.File("pages");
        await ReadmeExample.RunAsync(path);
        byte[] bytes = await File.ReadAllBytesAsync(path);
        Assert.Equal(8 * 4096, bytes.Length);
        Assert.Equal("hello"u8.ToArray(), bytes[(7 * 4096)..((7 * 4096) + 5)]);
    }

    [Fact]
    public async Task The_example_with_a_log_runs_and_leaves_its_page_and_record_in_the_files()
    {
        using ScratchDirectory directory = new();
        string path = directory.File("pages");
        Guid fileId = Guid.NewGuid();
        await LogExample.RunAsync(path, fileId);
        Assert.Equal("page 7: hello"u8.ToArray(), await File.ReadAllBytesAsync(path + ".log"));
        byte[] page = (await File.ReadAllBytesAsync(path))[(7 * 4096)..];
        Assert.True(new ChecksumPageCodec(fileId).TryDecode(new PageIdentity(fileId, 7), page, out _));
        Assert.Equal("hello"u8.ToArray(), page[..5]);
    }

    [Theory]
    [InlineData(0, nameof(ReadmeExample))]
    [InlineData(1, nameof(FileLog))]
    [InlineData(2, nameof(LogExample))]
    public void The_examples_that_are_compiled_are_those_that_the_readme_shows(int number, string file)
    {
        string folder = Path.GetDirectoryName(Here())!;
        string readme = File.ReadAllText(Path.Combine(folder, "../../../README.md"));
        string source = File.ReadAllText(Path.Combine(folder, $"{file}.cs"));
        string[] shown = readme.Split("```csharp\n");
        Assert.Equal(4, shown.Length);
        Assert.Equal(Lines(shown[number + 1][..shown[number + 1].IndexOf("```", StringComparison.Ordinal)]), Lines(Compiled(source)));
    }

    private static string Here([CallerFilePath] string path = "") => path;

    private static string Compiled(string source)
    {
        const string Begin = "// begin\n";
        int start = source.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        return source[start..source.IndexOf("// end", start, StringComparison.Ordinal)];
    }

    private static string[] Lines(string text) => [.. text.TrimEnd().Split('\n').Select(line => line.Trim())];
}
