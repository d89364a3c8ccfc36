using StorageCache.KeyValueStore.Cli.Files;
using Xunit;

namespace StorageCache.KeyValueStore.Tests.Cli;

/// <summary>The memory that a container is given bounds the cache.</summary>
public class ControlGroupTests
{
    [Theory]
    [InlineData("0::/a/b", "a/b/memory.max=3000 a/memory.max=2000 memory.max=max", 2000L)]
    [InlineData("0::/a/b", "a/b/memory.max=1000 a/memory.max=2000", 1000L)]
    [InlineData("0::/", "memory.max=1000", 1000L)]
    [InlineData("0::/outside/this/container", "memory.max=1000", 1000L)]
    [InlineData("0::/a", "a/memory.max=max", null)]
    [InlineData("4:cpu,memory:/a\n1:name=systemd:/b\n0::/", "memory/a/memory.limit_in_bytes=1000 memory/memory.limit_in_bytes=9223372036854771712", 1000L)]
    [InlineData("4:memory:/a\n0::/a", "memory/a/memory.limit_in_bytes=2000 a/memory.max=1000", 1000L)]
    [InlineData("3:cpu:/a", "memory/a/memory.limit_in_bytes=1000", null)]
    [InlineData("nothing that is known", "memory.max=1000", null)]
    public void The_least_limit_of_the_groups_around_the_process_counts(string groups, string limits, long? expected)
    {
        using TemporaryDirectory directory = new();
        foreach (string[] limit in limits.Split(' ').Select(limit => limit.Split('=')))
        {
            Write(directory.File("root/" + limit[0]), limit[1] + "\n");
        }

        Write(directory.File("groups"), groups + "\n");
        Assert.Equal(expected, ControlGroup.MemoryLimit(directory.File("groups"), directory.File("root")));
    }

    [Fact]
    public void Where_there_are_no_control_groups_there_is_no_limit()
    {
        using TemporaryDirectory directory = new();
        Assert.Null(ControlGroup.MemoryLimit(directory.File("groups"), directory.Path));
    }

    private static void Write(string path, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
