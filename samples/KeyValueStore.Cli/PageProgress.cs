namespace StorageCache.KeyValueStore.Cli;

/// <summary>Passes a check's progress on, on the thread that reports it.</summary>
internal sealed class PageProgress(Action<double> report) : IProgress<CheckProgress>
{
    public void Report(CheckProgress value) => report(value.PagesChecked);
}
