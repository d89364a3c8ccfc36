namespace StorageCache.Simulation.Kernel;

/// <summary>Something that a client is about.</summary>
/// <param name="Name">What messages call it.</param>
/// <param name="Task">Its end.</param>
internal sealed record Operation(string Name, Task Task);
