namespace StorageCache.Waiting;

/// <summary>A duty of a thread that others wait for, and that has to be handed over before the thread blocks.</summary>
internal interface IBlockable
{
    /// <summary>Runs on the thread, which is about to block until some other thread resumes a waiter.</summary>
    void OnBlocking();
}
