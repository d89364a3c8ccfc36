namespace StorageCache.Simulation.Kernel;

/// <summary>What the simulation is there to find: the system has not done what it promises.</summary>
internal sealed class ViolationException(string message) : Exception(message);
