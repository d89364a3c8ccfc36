using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Store;

/// <summary>A destination that lets other things happen between what it is given. Not thread-safe.</summary>
internal sealed class PausingStream(World world) : MemoryStream
{
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        for (int pauses = world.Random.Below(8); pauses > 0; pauses--)
        {
            await world.PauseAsync().ConfigureAwait(false);
        }

        Write(buffer.Span);
    }
}
