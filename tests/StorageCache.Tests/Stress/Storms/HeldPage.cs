namespace StorageCache.Tests.Stress.Storms;

/// <summary>A page whose bytes are held. Lets go of them when a writer breaks away, if it is to. Thread-safe.</summary>
internal sealed class HeldPage : IDisposable
{
    /// <summary>Nobody lets go of what is just being looked at.</summary>
    private readonly Lock _lock = new();

    private readonly ProtectedPage _page;

    public HeldPage(Mapping mapping, long page, ProtectionReason reason, bool letsGo) =>
        _page = mapping.Protect(page, reason, letsGo ? LetGo : null);

    /// <summary>What is held; null if it has been let go of.</summary>
    public byte[]? TryCopy()
    {
        lock (_lock)
        {
            try
            {
                return _page.Span.ToArray();
            }
            catch (ObjectDisposedException)
            {
                return null;
            }
        }
    }

    public void Dispose() => LetGo(_page);

    private void LetGo(ProtectedPage page)
    {
        lock (_lock)
        {
            page.Dispose();
        }
    }
}
