using StorageCache.Simulation.Kernel;
using Xunit;

namespace StorageCache.Simulation.Tests.Kernel;

/// <remarks>SIM-1.</remarks>
public class SimulationRandomTests
{
    /// <summary>A new version of the runtime, or of this program, is to replay the seeds of an old one.</summary>
    [Fact]
    public void What_a_seed_draws_never_changes()
    {
        SimulationRandom random = new(42);
        Assert.Equal(13679457532755275413ul, random.NextBits());
        Assert.Equal([2949826092126892291ul, 5139283748462763858ul], new[] { random.NextBits(), random.NextBits() });
    }

    [Fact]
    public void Numbers_are_within_their_bounds_and_reach_them()
    {
        SimulationRandom random = new(1);
        int[] below = [.. Enumerable.Range(0, 1000).Select(_ => random.Below(7)).Distinct().Order()];
        Assert.Equal(Enumerable.Range(0, 7), below);
        Assert.Equal(Enumerable.Range(3, 4), Enumerable.Range(0, 1000).Select(_ => random.Between(3, 6)).Distinct().Order());
        Assert.All(Enumerable.Range(0, 1000), _ => Assert.InRange(random.Magnitude(10, 1000), 10, 1000));
        Assert.InRange(Enumerable.Range(0, 10_000).Count(_ => random.Chance(0.1)), 800, 1200);
    }
}
