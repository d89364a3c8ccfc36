using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>
/// What the oracle knows: what the store held when it was opened, and all that has been committed since, in order. After a crash the store
/// holds what it held after one of these commits, and not after one before the last that was said to survive. Not thread-safe.
/// </summary>
internal sealed class StoreModel
{
    private readonly List<StoreCommit> _commits = [];
    private readonly Dictionary<int, List<(long Sequence, byte[]? Value)>> _histories = [];

    /// <summary>The numbers of all values that were put to a key since there is a store.</summary>
    private readonly HashSet<(int Key, long Value)> _put = [];
    private Dictionary<int, byte[]> _base = [];
    private Dictionary<int, byte[]> _current = [];

    /// <summary>Commits so far, over all lives.</summary>
    public long Sequence { get; private set; }

    /// <summary>What the store holds now, if it has not crashed.</summary>
    public IReadOnlyDictionary<int, byte[]> Current => _current;

    /// <summary>Commits since the store was opened.</summary>
    public int Commits => _commits.Count;

    /// <summary>Notes that the store has said of its first commits since it was opened that they survive.</summary>
    /// <param name="commits">How many.</param>
    /// <param name="areDurable">Whether they survive a loss of power; else the end of the process.</param>
    public void Acknowledge(int commits, bool areDurable)
    {
        if (commits > 0)
        {
            _commits[commits - 1].IsWritten = true;
            _commits[commits - 1].IsDurable |= areDurable;
        }
    }

    /// <summary>Notes that a batch has been committed: from now on everybody sees it.</summary>
    public void Commit(ulong lsn, IReadOnlyList<StoreChange> changes)
    {
        if (_commits.Count > 0 && _commits[^1].Lsn >= lsn)
        {
            throw new ViolationException($"A commit has the LSN {lsn}, the one before it {_commits[^1].Lsn}.");
        }

        _commits.Add(new StoreCommit(lsn, changes));
        Sequence++;
        foreach (StoreChange change in changes)
        {
            Apply(_current, change);
            HistoryOf(change.Key).Add((Sequence, change.Value));
            if (change.Value is { } value)
            {
                _put.Add((change.Key, StoreValue.NumberOf(value)));
            }
        }
    }

    /// <summary>Whether a key has had a value at some time between two moments, or had it then.</summary>
    public bool HasHad(int key, long since, ReadOnlySpan<byte> value, bool isThere)
    {
        List<(long Sequence, byte[]? Value)> history = HistoryOf(key);
        for (int i = history.Count - 1; i >= 0; i--)
        {
            if (isThere ? history[i].Value is { } was && value.SequenceEqual(was) : history[i].Value is null)
            {
                return true;
            }

            if (history[i].Sequence <= since)
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>Whether a key has ever had a value.</summary>
    public bool WasPut(int key, ReadOnlySpan<byte> value) => StoreValue.IsWhole(value) && _put.Contains((key, StoreValue.NumberOf(value)));

    /// <summary>Goes on from what was found, whatever that is.</summary>
    public void Settle(Dictionary<int, byte[]> state)
    {
        _base = state;
        _current = new Dictionary<int, byte[]>(state);
        _commits.Clear();
        _histories.Clear();
    }

    /// <summary>Begins anew with a store that holds nothing.</summary>
    public void Forget()
    {
        _put.Clear();
        Settle([]);
    }

    /// <summary>Holds what was found after a crash against what may be there, and goes on from that.</summary>
    /// <param name="found">All keys with their values.</param>
    /// <param name="mayLoseWritten">Whether what is not durable may be gone.</param>
    /// <param name="mayLoseDurable">Whether the log has been damaged, of which no more can be asked than that the rest is as it was.</param>
    public void Recover(IReadOnlyDictionary<int, byte[]> found, bool mayLoseWritten, bool mayLoseDurable)
    {
        int least = mayLoseDurable ? 0 : _commits.FindLastIndex(commit => mayLoseWritten ? commit.IsDurable : commit.IsWritten) + 1;
        Dictionary<int, byte[]> state = new(_base);
        for (int i = 0; i < least; i++)
        {
            Apply(state, _commits[i]);
        }

        Dictionary<int, byte[]> atLeast = new(state);
        for (int i = least; ; i++)
        {
            if (AreEqual(state, found))
            {
                Settle(state);
                return;
            }

            if (i == _commits.Count)
            {
                break;
            }

            Apply(state, _commits[i]);
        }

        throw new ViolationException(
            $"After a crash the store holds nothing that it held after any of its {_commits.Count} commits from the {least}th on, the last that was to survive: {Difference(atLeast, found)}.");
    }

    /// <summary>Says where two states differ first.</summary>
    public static string Difference(IReadOnlyDictionary<int, byte[]> expected, IReadOnlyDictionary<int, byte[]> found)
    {
        foreach ((int key, byte[] value) in expected.OrderBy(static pair => pair.Key))
        {
            if (!found.TryGetValue(key, out byte[]? other))
            {
                return $"key {key} is not there";
            }

            if (!value.AsSpan().SequenceEqual(other))
            {
                return $"key {key} has {StoreValue.Describe(other)} instead of {StoreValue.Describe(value)}";
            }
        }

        return found.Keys.Except(expected.Keys).Order().Select(static key => $"key {key} is there").DefaultIfEmpty("nothing differs").First();
    }

    /// <summary>Whether two states are the same.</summary>
    public static bool AreEqual(IReadOnlyDictionary<int, byte[]> one, IReadOnlyDictionary<int, byte[]> other) =>
        one.Count == other.Count && one.All(pair => other.TryGetValue(pair.Key, out byte[]? value) && pair.Value.AsSpan().SequenceEqual(value));

    private static void Apply(Dictionary<int, byte[]> state, StoreCommit commit)
    {
        foreach (StoreChange change in commit.Changes)
        {
            Apply(state, change);
        }
    }

    private static void Apply(Dictionary<int, byte[]> state, StoreChange change)
    {
        if (change.Value is { } value)
        {
            state[change.Key] = value;
        }
        else
        {
            state.Remove(change.Key);
        }
    }

    private List<(long Sequence, byte[]? Value)> HistoryOf(int key)
    {
        if (!_histories.TryGetValue(key, out List<(long Sequence, byte[]? Value)>? history))
        {
            history = [(0, _base.GetValueOrDefault(key))];
            _histories.Add(key, history);
        }

        return history;
    }
}
