using StorageCache.IO;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>
/// The log of an engine above the cache, without what is in it: numbers, and up to which of them it is durable. It fails and waits with the disk
/// that it lies on. Sees that no page is written before its record is durable (WB-16). Outlives processes. Not thread-safe.
/// </summary>
/// <param name="world">Where it lies.</param>
internal sealed class EngineLog(World world) : IWriteAheadLog
{
    /// <summary>Records that are not durable. A version of a page is the number of its record.</summary>
    private readonly SortedSet<ulong> _volatile = [];
    private SimulatedFile? _file;

    /// <inheritdoc/>
    public ulong DurableLsn { get; private set; }

    /// <summary>The number of the last record; 0 if there is none.</summary>
    public ulong End { get; private set; }

    /// <summary>What the cache has done against the rule; null as long as it has not.</summary>
    public ViolationException? Violation { get; private set; }

    /// <summary>The next process begins: what was not durable is gone.</summary>
    public void Begin()
    {
        _file = world.Disk.Open("log");
        _volatile.Clear();
        End = DurableLsn;
    }

    /// <summary>Adds a record.</summary>
    /// <param name="lsn">Its number, above that of all others.</param>
    public void Append(ulong lsn)
    {
        End = lsn;
        _volatile.Add(lsn);
    }

    /// <inheritdoc/>
    public async ValueTask EnsureDurableAsync(ulong lsn, CancellationToken cancellationToken)
    {
        if (lsn > End)
        {
            Violation ??= new ViolationException($"The log is to be durable up to {lsn}, and ends with {End}.");
        }

        ulong end = End;
        await _file!.FlushAsync().ConfigureAwait(false);
        if (end > DurableLsn)
        {
            DurableLsn = end;
            _volatile.GetViewBetween(0, end).Clear();
        }
    }

    /// <summary>Looks at what the cache asks of the disk.</summary>
    public void Watch(FileModel file, BlockRequest request)
    {
        if (request.Operation != BlockOperation.Write)
        {
            return;
        }

        long page = request.Offset / ScenarioCache.PageSize;
        foreach (BlockSegment segment in request.Segments)
        {
            for (int sector = 0; sector < PageModel.Sectors; sector++)
            {
                long version = file.VersionOf(segment.Span, page, sector);
                if (version > 0 && _volatile.Contains((ulong)version))
                {
                    Violation ??= new ViolationException(
                        $"Page {page} of '{file.Name}' is written with version {version}, and the log is durable up to {DurableLsn}.");
                }
            }

            page++;
        }
    }
}
