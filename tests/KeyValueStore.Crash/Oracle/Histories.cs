using StorageCache.KeyValueStore.Crash.Reports;

namespace StorageCache.KeyValueStore.Crash.Oracle;

/// <summary>What may have become of all stores of a run. Follows what workers report; throws when that cannot be.</summary>
internal sealed class Histories
{
    private readonly Dictionary<string, StoreHistory> _stores = [];

    /// <summary>Clones being made, with their sources.</summary>
    private readonly Dictionary<string, string> _clones = [];
    private long _now;

    /// <summary>Changes that were acknowledged.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>Changes that were begun.</summary>
    public long Begun { get; private set; }

    /// <summary>Times that a store was opened, checked and found right.</summary>
    public long Checked { get; private set; }

    /// <summary>Clones that were made.</summary>
    public long Clones { get; private set; }

    /// <summary>Clones that were half made, and are refused.</summary>
    public long ClonesRefused { get; private set; }

    /// <summary>Clones that were half made as far as anybody knew, and are right.</summary>
    public long ClonesFound { get; private set; }

    /// <summary>Changes and clones that have failed, by what was said.</summary>
    public SortedDictionary<string, long> Errors { get; } = [];

    /// <summary>The stores there are.</summary>
    public IReadOnlyDictionary<string, StoreHistory> Stores => _stores;

    public void AddNew(string store) => _stores.Add(store, new StoreHistory());

    public void Remove(string store) => _stores.Remove(store);

    /// <summary>The worker is gone: what it was about stays undecided.</summary>
    public void EndLife() => _clones.Clear();

    /// <summary>Takes a report in.</summary>
    /// <exception cref="ViolationException">A promise was broken.</exception>
    public void Take(Report report)
    {
        _now++;
        try
        {
            TakeIn(report);
        }
        catch (ViolationException exception)
        {
            throw new ViolationException($"Store '{report.Store}': {exception.Message}.");
        }
    }

    private void TakeIn(Report report)
    {
        switch (report.Kind)
        {
            case ReportKind.Opening:
                _stores[report.Store].BeginFinding();
                break;
            case ReportKind.Refused:
                Refuse(report);
                break;
            case ReportKind.Found:
                _stores[report.Store].Find(report.Changes);
                break;
            case ReportKind.Checked:
                Settle(report);
                break;
            case ReportKind.Begun:
                Begun++;
                ForEach(report.Store, (history, _) => history.Begin(report.Operation, _now, report.Changes));
                break;
            case ReportKind.Done:
                Acknowledged++;
                ForEach(report.Store, (history, isOwn) => history.End(report.Operation, _now, isOwn));
                break;
            case ReportKind.Failed:
                Count(report.Text);
                ForEach(report.Store, (history, _) => history.Fail(report.Operation));
                break;
            case ReportKind.InDoubt:
                Count(report.Text);
                ForEach(report.Store, (history, _) => history.End(report.Operation, _now, isAcknowledged: false));
                break;
            case ReportKind.CloneBegun:
                _stores.Add(report.Store, _stores[report.Text].Clone());
                _clones.Add(report.Store, report.Text);
                break;
            case ReportKind.CloneDone:
                Clones++;
                _clones.Remove(report.Store);
                _stores[report.Store].CompleteClone(_now);
                break;
            case ReportKind.CloneFailed:
                Count(report.Text);
                _clones.Remove(report.Store);
                _stores.Remove(report.Store);
                break;
            case ReportKind.NotOpened:
            case ReportKind.Closed when report.Text.Length > 0:
                Count(report.Text);
                break;
            case ReportKind.Violation:
                throw new ViolationException(report.Text);
        }
    }

    private void Count(string error) => Errors[error] = Errors.GetValueOrDefault(error) + 1;

    private void Refuse(Report report)
    {
        if (!_stores[report.Store].IsHalfMade || report.Operation == 0)
        {
            throw new ViolationException($"refused: {report.Text}");
        }

        ClonesRefused++;
        _stores.Remove(report.Store);
    }

    private void Settle(Report report)
    {
        if (report.Text.Length > 0)
        {
            throw new ViolationException($"the check finds {report.Text}");
        }

        StoreHistory history = _stores[report.Store];
        bool wasHalfMade = history.IsHalfMade;
        history.Settle();
        ClonesFound += wasHalfMade ? 1 : 0;
        Checked++;
    }

    /// <summary>A change of a store may come to the clones that are being made of it as well.</summary>
    private void ForEach(string store, Action<StoreHistory, bool> action)
    {
        action(_stores[store], true);
        foreach ((string clone, string source) in _clones)
        {
            if (source == store)
            {
                action(_stores[clone], false);
            }
        }
    }
}
