using System.Globalization;
using StorageCache.KeyValueStore.Crash.Oracle;
using StorageCache.KeyValueStore.Crash.Work;

namespace StorageCache.KeyValueStore.Crash.Runs;

/// <summary>The stores of a run: which there are, and what each life is to do with them.</summary>
internal sealed class StoreSet(string directory, Random random, Histories histories)
{
    private const int MostStores = 4;

    private readonly Dictionary<string, KeyValueDurability> _durabilities = [];
    private int _made;

    /// <summary>Takes what is too much away, and has one more made if there is room.</summary>
    /// <param name="alwaysDurable">Whether every change is to wait for the disk.</param>
    public IReadOnlyList<StorePlan> Plan(bool alwaysDurable)
    {
        List<string> names = [.. histories.Stores.Keys];
        while (names.Count >= MostStores)
        {
            // Not one that is half made: whether it is right has not been seen yet.
            string[] candidates = [.. names.Where(name => !histories.Stores[name].IsHalfMade && !histories.Stores[name].IsNew)];
            if (candidates.Length == 0)
            {
                break;
            }

            string gone = candidates[random.Next(candidates.Length)];
            names.Remove(gone);
            histories.Remove(gone);
            Delete(gone);
        }

        DeleteForgotten();
        if (names.Count < 2 || random.Next(3) == 0)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"store-{_made++}");
            histories.AddNew(name);
            names.Add(name);
        }

        return
        [
            .. names.Select(name => new StorePlan(
                name,
                histories.Stores[name].IsNew,
                alwaysDurable ? KeyValueDurability.Durable : DurabilityOf(name))),
        ];
    }

    private KeyValueDurability DurabilityOf(string name)
    {
        if (!_durabilities.TryGetValue(name, out KeyValueDurability durability))
        {
            durability = (KeyValueDurability)random.Next(2);
            _durabilities.Add(name, durability);
        }

        return durability;
    }

    /// <summary>Deletes what was left of clones that were refused or have failed.</summary>
    private void DeleteForgotten()
    {
        foreach (string path in Directory.GetFiles(directory))
        {
            string name = Path.GetFileName(path);
            name = name.EndsWith(".log", StringComparison.Ordinal) ? name[..^4] : name;
            if ((name.StartsWith("clone-", StringComparison.Ordinal) || name.StartsWith("store-", StringComparison.Ordinal)) && !histories.Stores.ContainsKey(name))
            {
                File.Delete(path);
            }
        }
    }

    private void Delete(string name)
    {
        File.Delete(Path.Combine(directory, name));
        File.Delete(Path.Combine(directory, name + ".log"));
    }
}
