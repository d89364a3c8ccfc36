using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using StorageCache.Waiting;

namespace StorageCache.Mappings;

/// <summary>
/// The pages that are being punched: which of them may come into memory and be written meanwhile, and who waits to bring one in.
/// Thread-safe. Its lock is a leaf: it is taken under list locks, and nothing is taken under it.
/// </summary>
internal sealed class PunchRange
{
    private readonly Lock _lock = new();
    private readonly List<(PageWaiter Waiter, long Ticket)> _waiters = [];

    /// <summary>Resident pages whose bytes are older than the punch, 64 to an entry, by number.</summary>
    private readonly Dictionary<long, ulong> _stale = [];

    private bool _barsClaims = true;
    private bool _barsWrites;

    /// <param name="firstPage">The first page.</param>
    /// <param name="endPage">The one behind the last.</param>
    public PunchRange(long firstPage, long endPage)
    {
        FirstPage = firstPage;
        EndPage = endPage;
    }

    /// <summary>The first page.</summary>
    public long FirstPage { get; }

    /// <summary>The page behind the last.</summary>
    public long EndPage { get; }

    /// <summary>Whether a page is among them.</summary>
    public bool Contains(long page) => page >= FirstPage && page < EndPage;

    /// <summary>Whether an absent page is not to come into memory for now.</summary>
    public bool BarsClaim(long page)
    {
        lock (_lock)
        {
            return _barsClaims && Contains(page);
        }
    }

    /// <summary>
    /// Asks for an absent page whose slot has been claimed to be let in. Whatever it was before, it comes from a device that has been
    /// punched, and is stale no more.
    /// </summary>
    public bool TryClaim(long page)
    {
        if (!Contains(page))
        {
            return true;
        }

        lock (_lock)
        {
            if (!_barsClaims)
            {
                Unmark(page);
            }

            return !_barsClaims;
        }
    }

    /// <summary>Arms a waiter, to be resumed when absent pages may come in. False, and nothing has happened, if they may already.</summary>
    public bool TryWait(PageWaiter waiter)
    {
        lock (_lock)
        {
            if (_barsClaims)
            {
                _waiters.Add((waiter, waiter.Arm()));
            }

            return _barsClaims;
        }
    }

    /// <summary>Says that no write of a page may begin.</summary>
    public void BarWrites()
    {
        lock (_lock)
        {
            _barsWrites = true;
        }
    }

    /// <summary>Whether the write of a page may begin.</summary>
    public bool MayBeWritten(long page)
    {
        if (!Contains(page))
        {
            return true;
        }

        lock (_lock)
        {
            return !_barsWrites && !Has(page);
        }
    }

    /// <summary>Marks a page that is older than the punch.</summary>
    public void MarkStale(long page)
    {
        lock (_lock)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_stale, page >> 6, out _) |= BitOf(page);
        }
    }

    /// <summary>Whether a page is older than the punch; to be trusted while its latch is held.</summary>
    public bool IsStale(long page)
    {
        lock (_lock)
        {
            return Has(page);
        }
    }

    /// <summary>Says that a page has been cleared in place. Its exclusive latch is held.</summary>
    public void Renewed(long page)
    {
        lock (_lock)
        {
            Unmark(page);
        }
    }

    /// <summary>
    /// Lets absent pages in, and pages be written unless they are stale. Whoever waited is to be dispatched by the caller, with no lock held.
    /// </summary>
    public void Open(ref ReadyChain ready)
    {
        lock (_lock)
        {
            _barsClaims = false;
            _barsWrites = false;
            foreach ((PageWaiter waiter, long ticket) in _waiters)
            {
                if (waiter.TryResume(ticket, WaitOutcome.Retry))
                {
                    ready.Add(waiter);
                }
            }

            _waiters.Clear();
        }
    }

    private static ulong BitOf(long page) => 1UL << ((int)page & 63);

    private bool Has(long page) => _stale.TryGetValue(page >> 6, out ulong bits) && (bits & BitOf(page)) != 0;

    private void Unmark(long page)
    {
        ref ulong bits = ref CollectionsMarshal.GetValueRefOrNullRef(_stale, page >> 6);
        if (!Unsafe.IsNullRef(ref bits))
        {
            bits &= ~BitOf(page);
        }
    }
}
