namespace StorageCache.Waiting;

/// <summary>Why a waiter was resumed.</summary>
internal enum WaitOutcome
{
    /// <summary>Not resumed yet.</summary>
    None,

    /// <summary>What it waited for has been taken on its behalf.</summary>
    Granted,

    /// <summary>It should try again; it may still stand in the list.</summary>
    Retry,

    /// <summary>What it waited for failed; <see cref="Waiter.Error"/> says how, or no frame came in time.</summary>
    Failed,

    /// <summary>It was cancelled or its time is up; it may still stand in the list.</summary>
    Aborted,
}
