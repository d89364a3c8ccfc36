using System.Runtime.InteropServices;

namespace StorageCache.Workloads.Hit.Loops;

/// <summary>Awaits a shared lease, as an asynchronous engine would; on a hit the await never suspends.</summary>
internal sealed class AsyncReadLoop(Mapping mapping) : IHitLoop
{
    /// <inheritdoc/>
    public long Run(int[] pages, int first, int count)
    {
        ValueTask<long> run = RunAsync(pages, first, count);
        return run.IsCompletedSuccessfully ? run.Result : run.AsTask().GetAwaiter().GetResult();
    }

    private async ValueTask<long> RunAsync(int[] pages, int first, int count)
    {
        long sum = 0;
        for (int i = first; i < first + count; i++)
        {
            PageReadLease lease = await mapping.ReadAsync(pages[i]);
            sum += MemoryMarshal.Read<long>(lease.Span);
            lease.Dispose();
        }

        return sum;
    }
}
