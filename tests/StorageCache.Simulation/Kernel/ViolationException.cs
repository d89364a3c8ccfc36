namespace StorageCache.Simulation.Kernel;

/// <summary>What the simulation is there to find: the system has not done what it promises.</summary>
internal sealed class ViolationException(string message) : Exception(message)
{
    /// <summary>An operation of a client has failed, and the disk has given no cause for it (SIM-7).</summary>
    /// <param name="error">What it has failed with.</param>
    /// <param name="known">What is known of what it was about; empty for nothing.</param>
    public static ViolationException Uncaused(Exception error, string known = "") =>
        new($"An error that nothing has caused: {error}{(known.Length == 0 ? string.Empty : $"; {known}")}");
}
