using System.Runtime.CompilerServices;
using StorageCache.ReadAhead;

namespace StorageCache;

/// <summary>
/// Pages of a mapping in an order that the caller knows in advance, each pinned while it is the current one, with those that come next
/// already being read: neighbours in one request, as many ahead as it takes for none to be waited for. Made by
/// <see cref="Mapping.OpenReadStream"/>.
/// </summary>
/// <remarks>
/// <para>
/// Pages that are read ahead are not held: if memory is short they may be evicted before their turn, and are read again.
/// The page numbers are taken from the caller's sequence a distance ahead, on the thread that moves the stream.
/// </para>
/// <para>The idea is that of PostgreSQL's read stream (version 17). Thread safety: one caller at a time.</para>
/// </remarks>
public sealed class PageReadStream : IDisposable
{
    private readonly Mapping _mapping;
    private readonly IEnumerator<long> _pages;
    private readonly PageQueue _ahead;
    private readonly PageQueue? _passed;
    private readonly int _maximumDistance;

    /// <summary>How many of the pages ahead have been looked for, and are being read if they were absent.</summary>
    private int _issued;
    private int _distance = 1;
    private bool _hasCurrent;
    private bool _isEnded;
    private volatile bool _isDisposed;
    private PagePin _current;

    internal PageReadStream(Mapping mapping, IEnumerable<long> pages, PageReadStreamOptions options, int mostFrames)
    {
        _mapping = mapping;
        _maximumDistance = Math.Clamp(options.MaximumDistance, 1, Math.Max(1, mostFrames));
        _ahead = new PageQueue(_maximumDistance);
        _passed = options.Scan ? new PageQueue(_maximumDistance) : null;
        _pages = pages.GetEnumerator();
    }

    /// <summary>Number of the current page.</summary>
    /// <exception cref="InvalidOperationException">There is no current page: the stream has not been moved, or has ended, or the last move failed, or the page was given back.</exception>
    public long Page
    {
        get => _hasCurrent ? field : throw NoCurrent();
        private set;
    }

    /// <summary>How many pages the stream looks ahead at present, the current one not counted.</summary>
    public int Distance => _distance;

    /// <summary>Takes a read lease of the current page. Blocks the calling thread, and no other, while a writer has the page.</summary>
    /// <exception cref="InvalidOperationException">There is no current page.</exception>
    /// <inheritdoc cref="Mapping.Read(long)" path="/exception"/>
    public PageReadLease Read() => Held.Read();

    /// <summary>Takes a read lease of the current page. Completes synchronously if no writer has the page.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="InvalidOperationException">There is no current page.</exception>
    /// <inheritdoc cref="Mapping.Read(long)" path="/exception"/>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<PageReadLease> ReadAsync(CancellationToken cancellationToken = default) => Held.ReadAsync(cancellationToken);

    /// <summary>Begins an optimistic read of the current page, unless a writer has it.</summary>
    /// <param name="read">What was acquired, if the result is true.</param>
    /// <exception cref="InvalidOperationException">There is no current page.</exception>
    public bool TryReadOptimistic(out OptimisticRead read) => Held.TryReadOptimistic(out read);

    /// <summary>Pins the current page once more: a pin of the caller's own, which outlives the next move. Every kind of lease can be taken from it.</summary>
    /// <exception cref="InvalidOperationException">There is no current page.</exception>
    /// <inheritdoc cref="Mapping.Read(long)" path="/exception"/>
    public PagePin Pin() => _mapping.Pin(Page);

    /// <summary>
    /// Gives the current page back without moving on, so that the stream holds nothing while its caller does something else. Does nothing
    /// if there is no current page.
    /// </summary>
    public void Release() => LeaveCurrent();

    /// <summary>Moves to the next page. Blocks the calling thread, and no other, until it is in memory.</summary>
    /// <returns>Whether there is one: false at the end of the caller's sequence.</returns>
    /// <remarks>If the page cannot be had, the exception says why, and the next move goes on behind it.</remarks>
    /// <inheritdoc cref="Mapping.Read(long)" path="/exception"/>
    /// <exception cref="ObjectDisposedException">The stream has been disposed of.</exception>
    public bool MoveNext()
    {
        if (!TryStep(out long page))
        {
            return false;
        }

        SetCurrent(page, _mapping.Pin(page));
        return true;
    }

    /// <summary>Moves to the next page. Completes synchronously if it is in memory.</summary>
    /// <param name="cancellationToken">Cancels the wait; the next move goes on behind the page that was waited for.</param>
    /// <returns>Whether there is one: false at the end of the caller's sequence.</returns>
    /// <remarks>If the page cannot be had, the exception says why, and the next move goes on behind it.</remarks>
    /// <inheritdoc cref="Mapping.Read(long)" path="/exception"/>
    /// <exception cref="ObjectDisposedException">The stream has been disposed of.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken = default)
    {
        if (!TryStep(out long page))
        {
            return new ValueTask<bool>(false);
        }

        if (!_mapping.TryPin(page, out PagePin pin))
        {
            return WaitAsync(page, cancellationToken);
        }

        SetCurrent(page, pin);
        return new ValueTask<bool>(true);
    }

    /// <summary>
    /// Returns the current page's pin and ends the caller's sequence. Reads under way go on; a move that is awaited still, and was given
    /// up by its caller, ends with <see cref="ObjectDisposedException"/> and holds nothing. May be called twice.
    /// </summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            LeaveCurrent();
            _pages.Dispose();
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> WaitAsync(long page, CancellationToken cancellationToken)
    {
        PagePin pin = await _mapping.PinAsync(page, cancellationToken).ConfigureAwait(false);
        if (_isDisposed)
        {
            pin.Dispose();
            throw new ObjectDisposedException(nameof(PageReadStream));
        }

        SetCurrent(page, pin);
        return true;
    }

    private void SetCurrent(long page, PagePin pin)
    {
        Page = page;
        _current = pin;
        _hasCurrent = true;
    }

    private PagePin Held => _hasCurrent ? _current : throw NoCurrent();

    private static InvalidOperationException NoCurrent() =>
        new("The read stream has no current page: it has not been moved, or has ended, or the last move failed, or the page was given back.");

    /// <summary>Leaves the current page, sees that those ahead are being read, and takes the next.</summary>
    private bool TryStep(out long page)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        LeaveCurrent();
        LookAhead();
        page = 0;
        if (_ahead.Count == 0)
        {
            return false;
        }

        page = _ahead.Dequeue();
        _issued = Math.Max(0, _issued - 1);
        return true;
    }

    private void LeaveCurrent()
    {
        if (!_hasCurrent)
        {
            return;
        }

        _current.Dispose();
        if (_passed is not null)
        {
            if (_passed.IsFull)
            {
                _mapping.GiveUp(_passed.Dequeue(), 1);
            }

            _passed.Enqueue(Page);
        }

        _hasCurrent = false;
    }

    /// <summary>
    /// Takes page numbers from the caller up to the distance, and has them read: half a distance at a time, so that neighbours
    /// find each other.
    /// </summary>
    private void LookAhead()
    {
        while (!_isEnded && _ahead.Count < _distance)
        {
            if (_pages.MoveNext())
            {
                _ahead.Enqueue(_pages.Current);
            }
            else
            {
                _isEnded = true;
            }
        }

        int waiting = _ahead.Count - _issued;
        if (waiting == 0 || (_issued > 0 && waiting * 2 < _distance && !_isEnded))
        {
            return;
        }

        // Those for which there was no frame have another try at the next move.
        _issued = _mapping.PrefetchEach(_ahead, _issued, out int started);
        _distance = _issued < _ahead.Count ? Math.Max(1, _distance / 2)
            : started > 0 ? Math.Min(_maximumDistance, _distance * 2)
            : Math.Max(1, _distance - waiting);
    }
}
