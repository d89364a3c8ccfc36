namespace StorageCache.Workloads;

/// <summary>A named measurement of the cache. Adding one to <see cref="WorkloadCatalog"/> is all it takes to run it.</summary>
internal interface IWorkload
{
    /// <summary>What the command line calls it, and the first part of every metric's name.</summary>
    string Name { get; }

    /// <summary>One line for the list of workloads.</summary>
    string Description { get; }

    /// <summary>Measures, and adds what was measured to the context's report.</summary>
    /// <exception cref="WorkloadFailedException">What ran was not what the workload claims to measure.</exception>
    Task RunAsync(WorkloadContext context);
}
