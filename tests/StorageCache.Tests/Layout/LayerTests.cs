using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace StorageCache.Tests.Layout;

/// <summary>
/// The rooms of <c>docs/architecture.md</c>, in the order of the table there, and what the sources say: each room's namespace is used by
/// the rooms above it only. What is in the namespace <c>StorageCache</c> itself belongs to no room.
/// </summary>
public sealed partial class LayerTests
{
    /// <summary>Files that may look up, as the page says.</summary>
    private static readonly string[] s_exceptions = ["Diagnostics/IntegrityCheck.cs"];

    private static readonly string s_repository = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "../../.."));
    private static readonly string s_sources = Path.Combine(s_repository, "src/StorageCache");

    /// <summary>From the top; the root is not among them, for nothing is said of its namespace.</summary>
    private static readonly string[] s_rooms = [.. RoomInTable()
        .Matches(File.ReadAllText(Path.Combine(s_repository, "docs/architecture.md")))
        .Select(row => row.Groups["room"].Value)];

    [Fact]
    public void The_table_of_rooms_names_every_folder_and_no_other()
    {
        string[] folders = [.. Sources().Select(RoomOf).Where(room => room.Length > 0).Distinct()];
        Assert.Equal(folders.Order(StringComparer.Ordinal), s_rooms.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_file_is_in_the_namespace_of_its_folder_or_in_the_one_of_all()
    {
        Assert.All(Sources(), file =>
        {
            string folder = Path.GetDirectoryName(file)!.Replace('/', '.');
            string declared = Namespace().Match(Code(file)).Groups["name"].Value;
            Assert.Contains(declared, new[] { "StorageCache", "StorageCache." + folder });
        });
    }

    [Fact]
    public void Rooms_use_only_those_below_them()
    {
        HashSet<(string Room, string Type)> types = [.. Sources().Select(file => (RoomOf(file), Path.GetFileName(file).Split('.')[0]))];
        List<string> up = [];
        foreach (string file in Sources().Where(file => RoomOf(file).Length > 0))
        {
            string code = Code(file);
            IEnumerable<string> imported = Using().Matches(code).Select(match => match.Groups["room"].Value);
            IEnumerable<string> qualified = Qualified().Matches(code)
                .Where(match => match.Groups["type"].Captures.Any(type => types.Contains((match.Groups["room"].Value, type.Value))))
                .Select(match => match.Groups["room"].Value);
            int own = Array.IndexOf(s_rooms, RoomOf(file));
            if (imported.Concat(qualified).Any(room => Array.IndexOf(s_rooms, room) is >= 0 and int other && other < own))
            {
                up.Add(file);
            }
        }

        Assert.Equal(s_exceptions, up.Order(StringComparer.Ordinal));
    }

    private static string Here([CallerFilePath] string path = "") => path;

    /// <summary>Paths of the source files, relative to the project.</summary>
    private static IEnumerable<string> Sources() => Directory.EnumerateFiles(s_sources, "*.cs", SearchOption.AllDirectories)
        .Select(file => Path.GetRelativePath(s_sources, file))
        .Where(file => RoomOf(file) is not ("bin" or "obj"));

    /// <summary>The first folder of a path, empty for the root.</summary>
    private static string RoomOf(string file) => file.Contains('/', StringComparison.Ordinal) ? file[..file.IndexOf('/', StringComparison.Ordinal)] : "";

    private static string Code(string file) => Comment().Replace(File.ReadAllText(Path.Combine(s_sources, file)), "");

    [GeneratedRegex(@"^\| `(?<room>\w+)/` \|", RegexOptions.Multiline)]
    private static partial Regex RoomInTable();

    [GeneratedRegex(@"^namespace (?<name>[\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^(?:global )?using (?:static )?(?:\w+ = )?StorageCache\.(?<room>\w+)", RegexOptions.Multiline)]
    private static partial Regex Using();

    /// <summary>A type behind the name of its room, in full or as it may be written from within the assembly.</summary>
    [GeneratedRegex(@"(?<![\w.])(?:StorageCache\.)?(?<room>[A-Z]\w*)(?:\.(?<type>[A-Z]\w*))+")]
    private static partial Regex Qualified();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex Comment();
}
