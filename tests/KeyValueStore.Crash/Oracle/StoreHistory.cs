using StorageCache.KeyValueStore.Crash.Reports;

namespace StorageCache.KeyValueStore.Crash.Oracle;

/// <summary>What may have become of a store since it was last looked at.</summary>
/// <remarks>
/// A key's state is right if it comes from a change that may have happened, and no change that has happened was begun after that one had ended. Changes that
/// were acknowledged have happened, and so has one of which a key is found: with all its keys, therefore.
/// </remarks>
internal sealed class StoreHistory
{
    private readonly Dictionary<long, Operation> _operations = [];
    private readonly Dictionary<int, List<(Operation Operation, long Version)>> _keys = [];

    /// <summary>What was there at the beginning.</summary>
    private Dictionary<int, long> _base = [];
    private Operation _baseOperation = NewBase();

    /// <summary>Keys found so far, before all of them are.</summary>
    private Dictionary<int, long> _found = [];

    /// <summary>Whether it is a clone of which nobody has said that it was made: it may be refused.</summary>
    public bool IsHalfMade { get; set; }

    /// <summary>Whether it has never been looked at: it may have to be made.</summary>
    public bool IsNew { get; set; } = true;

    /// <summary>Begins a clone of this one: what has ended is in it, what has not may be.</summary>
    public StoreHistory Clone()
    {
        StoreHistory clone = new() { IsHalfMade = true, _base = new Dictionary<int, long>(_base), IsNew = false };
        foreach (Operation operation in _operations.Values)
        {
            Operation copy = new(operation.Number, operation.Begun, operation.Changes) { Ended = operation.Ended, Must = operation.Must, MustNot = operation.MustNot };
            clone.Add(copy);
        }

        return clone;
    }

    /// <summary>A clone has been made: what comes later to the source does not come to it, and what comes to it comes after all that.</summary>
    public void CompleteClone(long now)
    {
        IsHalfMade = false;
        foreach (Operation operation in _operations.Values)
        {
            operation.Ended = Math.Min(operation.Ended, now);
        }
    }

    public void Begin(long number, long now, IReadOnlyList<Change> changes) => Add(new Operation(number, now, changes));

    /// <summary>A change has returned.</summary>
    /// <param name="number">Which.</param>
    /// <param name="now">When.</param>
    /// <param name="isAcknowledged">Whether it was promised to this store, rather than to the one that this is being made a clone of.</param>
    public void End(long number, long now, bool isAcknowledged)
    {
        if (_operations.TryGetValue(number, out Operation? operation))
        {
            operation.Ended = Math.Min(operation.Ended, now);
            operation.Must |= isAcknowledged;
        }
    }

    /// <summary>A change has thrown, and said that it has not happened.</summary>
    public void Fail(long number)
    {
        if (_operations.TryGetValue(number, out Operation? operation))
        {
            operation.MustNot = true;
        }
    }

    /// <summary>A store is being looked at from the start.</summary>
    public void BeginFinding() => _found = [];

    /// <summary>Some of what was found.</summary>
    public void Find(IReadOnlyList<Change> changes)
    {
        foreach (Change change in changes)
        {
            if (!_found.TryAdd(change.Key, change.Version))
            {
                throw new ViolationException($"key {change.Key} is there twice");
            }
        }
    }

    /// <summary>Holds what was found against what may be, and goes on from that.</summary>
    public void Settle()
    {
        foreach ((int key, long version) in _found)
        {
            See(key, version);
        }

        foreach (int key in _found.Keys.Union(_base.Keys).Union(_keys.Keys))
        {
            Verify(key, _found.GetValueOrDefault(key));
        }

        _base = _found;
        _baseOperation = NewBase();
        _found = [];
        _operations.Clear();
        _keys.Clear();
        IsNew = false;
        IsHalfMade = false;
    }

    private static Operation NewBase() => new(0, -1, []) { Ended = -1, Must = true };

    private void Add(Operation operation)
    {
        _operations.Add(operation.Number, operation);
        foreach (Change change in operation.Changes)
        {
            if (!_keys.TryGetValue(change.Key, out List<(Operation Operation, long Version)>? list))
            {
                _keys.Add(change.Key, list = []);
            }

            list.Add((operation, change.Version));
        }
    }

    private IEnumerable<(Operation Operation, long Version)> HistoryOf(int key)
    {
        IEnumerable<(Operation Operation, long Version)> first = [(_baseOperation, _base.GetValueOrDefault(key))];
        return _keys.TryGetValue(key, out List<(Operation Operation, long Version)>? later) ? first.Concat(later) : first;
    }

    private void See(int key, long version)
    {
        Operation? operation = HistoryOf(key).FirstOrDefault(entry => entry.Version == version).Operation
            ?? throw new ViolationException($"key {key} has version {version:x}, which was never put there since the store was last looked at, when it had {_base.GetValueOrDefault(key):x}");
        if (operation.MustNot)
        {
            throw new ViolationException($"key {key} has version {version:x} of operation {operation.Number:x}, which had failed and so not happened");
        }

        operation.IsSeen = true;
    }

    private void Verify(int key, long version)
    {
        string? why = null;
        foreach ((Operation candidate, long its) in HistoryOf(key))
        {
            if (its != version || candidate.MustNot)
            {
                continue;
            }

            Operation? later = HistoryOf(key).Select(static entry => entry.Operation).FirstOrDefault(other => other.HasHappened && other.Begun > candidate.Ended);
            if (later is null)
            {
                return;
            }

            why = $"operation {later.Number:x} (begun at {later.Begun}, {(later.Must ? "acknowledged" : "found in part")}) came after that of operation {candidate.Number:x} (ended at {candidate.Ended})";
        }

        throw new ViolationException(
            $"key {key} has {(version == 0 ? "no value" : $"version {version:x}")}, {why ?? "and nothing has removed it"}; its history: {Describe(key)}");
    }

    private string Describe(int key) => string.Join(", ", HistoryOf(key).Select(static entry => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{entry.Operation.Number:x}: {entry.Version:x} [{entry.Operation.Begun}..{(entry.Operation.Ended == long.MaxValue ? "" : entry.Operation.Ended)}]{(entry.Operation.Must ? "!" : "")}{(entry.Operation.MustNot ? "-" : "")}{(entry.Operation.IsSeen ? "*" : "")}")));
}
