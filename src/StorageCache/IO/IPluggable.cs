namespace StorageCache.IO;

/// <summary>An engine to which requests that come together are cheaper than the same requests one by one.</summary>
internal interface IPluggable
{
    /// <summary>Takes in what a plug has kept back, in order. A request fails inside the call if the engine is closed (I/O-3).</summary>
    /// <param name="kept">One request or more, each with its <see cref="BlockRequest.Device"/> set, which has passed every check but that one.</param>
    void SubmitKept(RequestQueue kept);
}
