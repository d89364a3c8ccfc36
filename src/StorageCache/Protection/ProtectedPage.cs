using System.Diagnostics.CodeAnalysis;

namespace StorageCache;

/// <summary>
/// The bytes of a page as they were at one moment, which stand still until this is disposed of. Nobody is held up by it: a writer
/// breaks away onto a copy, and the page may be truncated away, punched or closed. It is not evicted. The frame counts in the memory limit meanwhile.
/// </summary>
/// <remarks>
/// <para>Made by <see cref="Mapping.Protect"/> and its other forms. Thread safety: all members may be called from any thread.</para>
/// <para>The mechanism is that of the generic page write protection proposed for Linux in 2018.</para>
/// </remarks>
public sealed unsafe class ProtectedPage : IDisposable, IThreadPoolWorkItem
{
    private readonly Action<ProtectedPage>? _onBreak;
    private int _released;

    internal ProtectedPage(Mapping mapping, long page, uint frame, ProtectionReason reason, Action<ProtectedPage>? onBreak)
    {
        Mapping = mapping;
        Page = page;
        Reason = reason;
        Frame = frame;
        _onBreak = onBreak;
    }

    /// <summary>The mapping that the page belongs to.</summary>
    public Mapping Mapping { get; }

    /// <summary>The page's number.</summary>
    public long Page { get; }

    /// <summary>Why the bytes are held.</summary>
    public ProtectionReason Reason { get; }

    /// <summary>Whether the page has these bytes still: no writer has broken away, and the page is in memory. It may change at any time.</summary>
    public bool IsCurrent => Volatile.Read(ref _released) == 0 && Mapping.HasFrame(Page, Frame);

    /// <summary>The bytes, <see cref="Mapping.UsablePageSize"/> of them. Valid until this is disposed of, or the cache is.</summary>
    /// <exception cref="ObjectDisposedException">This has been disposed of, or the cache has.</exception>
    [SuppressMessage("Design", "CA1065:Do not raise exceptions in unexpected locations", Justification = "As leases do.")]
    public ReadOnlySpan<byte> Span
    {
        get
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _released) != 0 || Mapping.Cache.IsDisposed, this);
            return new ReadOnlySpan<byte>(Mapping.ReadAddressOf(Frame), Mapping.UsablePageSize);
        }
    }

    /// <summary>The frame.</summary>
    internal uint Frame { get; }

    /// <summary>Lets the bytes go. Does nothing the second time.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0)
        {
            Mapping.Unprotect(this, hasWatcher: _onBreak is not null);
        }
    }

    /// <summary>Runs what was asked for when the page broke away.</summary>
    void IThreadPoolWorkItem.Execute() => _onBreak!(this);

    /// <summary>Whether this holds the frame by a page of a mapping.</summary>
    internal bool IsOf(Mapping? mapping, long page) => Mapping == mapping && Page == page;

    /// <summary>Has the thread pool tell the holder that the page broke away.</summary>
    internal void TellLater() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
}
