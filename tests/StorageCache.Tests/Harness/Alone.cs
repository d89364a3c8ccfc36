using Xunit;

namespace StorageCache.Tests.Harness;

/// <summary>Tests that disturb others, or that others would disturb: they count allocations or take the thread pool away.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
