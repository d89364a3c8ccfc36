using System.Runtime.CompilerServices;
using Xunit;

namespace StorageCache.Tests.Documentation;

public class ReadmeTests
{
    [Fact]
    public async Task The_example_of_the_readme_runs_and_leaves_its_page_in_the_file()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            await ReadmeExample.RunAsync(path);
            byte[] bytes = await File.ReadAllBytesAsync(path);
            Assert.Equal(8 * 4096, bytes.Length);
            Assert.Equal("hello"u8.ToArray(), bytes[(7 * 4096)..((7 * 4096) + 5)]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void The_example_that_is_compiled_is_the_one_that_the_readme_shows()
    {
        string folder = Path.GetDirectoryName(Here())!;
        string readme = File.ReadAllText(Path.Combine(folder, "../../../README.md"));
        string source = File.ReadAllText(Path.Combine(folder, "ReadmeExample.cs"));
        string shown = Between(readme, "```csharp\n", "```");
        string compiled = Between(source, "// begin\n", "        // end");
        Assert.Equal(Lines(shown), Lines(compiled));
    }

    private static string Here([CallerFilePath] string path = "") => path;

    private static string Between(string text, string from, string to)
    {
        int start = text.IndexOf(from, StringComparison.Ordinal) + from.Length;
        return text[start..text.IndexOf(to, start, StringComparison.Ordinal)];
    }

    private static string[] Lines(string text) => [.. text.Split('\n').Select(line => line.Trim())];
}
