namespace StorageCache.Platform.Native;

/// <summary>Where completions of a ring are to be had (<c>SC_COMPLETIONS_*</c>).</summary>
[Flags]
internal enum CompletionStates
{
    None = 0,

    /// <summary>They can be reaped.</summary>
    Ready = 1 << 0,

    /// <summary>The kernel holds some, until somebody waits or enters.</summary>
    Held = 1 << 1,
}
