using StorageCache.IO;

namespace StorageCache.Waiting;

/// <summary>
/// Those who waited for requests that complete together go on together: first all that go to the thread pool are handed over, in one
/// go, and then those run that may run on the engine's own thread.
/// </summary>
internal sealed class ResumptionBatches : ICompletionBatches
{
    /// <summary>The only one there is: what is put off is kept per thread.</summary>
    public static readonly ResumptionBatches Instance = new();

    private ResumptionBatches()
    {
    }

    /// <inheritdoc/>
    public void Begin()
    {
        InlineResumption.Hold();
        PooledResumption.Hold();
    }

    /// <inheritdoc/>
    public void End()
    {
        PooledResumption.Release();
        InlineResumption.Release();
    }
}
