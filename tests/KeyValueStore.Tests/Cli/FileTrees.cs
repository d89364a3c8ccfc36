namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>Directories to be loaded.</summary>
internal static class FileTrees
{
    /// <summary>Three files, one of them empty and one large, and two links, one of which leads in a circle.</summary>
    public static string MakeSmall(TemporaryDirectory directory)
    {
        string tree = directory.File("tree");
        Directory.CreateDirectory(System.IO.Path.Combine(tree, "sub"));
        File.WriteAllText(System.IO.Path.Combine(tree, "a.txt"), "12345");
        File.WriteAllText(System.IO.Path.Combine(tree, "empty"), "");
        File.WriteAllBytes(System.IO.Path.Combine(tree, "sub", "big"), TestData.Value(5, 300_000));
        File.CreateSymbolicLink(System.IO.Path.Combine(tree, "link"), "a.txt");
        Directory.CreateSymbolicLink(System.IO.Path.Combine(tree, "sub", "up"), "..");
        return tree;
    }
}
