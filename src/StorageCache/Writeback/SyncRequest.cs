using StorageCache.IO;

namespace StorageCache.Writeback;

/// <summary>Has a mapping's device make durable what was written to it. If it cannot, the mapping knows before anybody else does.</summary>
internal sealed class SyncRequest(Mapping mapping) : FlushRequest
{
    /// <summary>Runs the sync. Called once.</summary>
    public Task RunAsync() => RunAsync(mapping.Device);

    /// <inheritdoc/>
    protected override void OnFailing(IOException error) => mapping.FailSync(error);
}
