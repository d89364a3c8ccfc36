using System.Buffers.Binary;
using StorageCache.Simulation.Disk;
using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Scenarios.Register;

/// <summary>One seed of <see cref="RegisterScenario"/>. Not thread-safe.</summary>
internal sealed class RegisterRun(World world, RegisterBug bug) : IScenarioRun
{
    private const int Registers = 16;

    private readonly long[] _begun = new long[Registers];
    private readonly long[] _acknowledged = new long[Registers];
    private readonly bool[] _busy = new bool[Registers];
    private SimulatedFile _file = null!;
    private long _value;
    private int _failedFlushes;

    /// <inheritdoc/>
    public async Task OpenAsync()
    {
        _file = world.Disk.Open("registers");
        for (int register = 0; register < Registers; register++)
        {
            long value = await ReadAsync(register).ConfigureAwait(false);
            if (value < _acknowledged[register] || value > _begun[register])
            {
                throw new ViolationException($"Register {register} is {value}; {_acknowledged[register]} was acknowledged, {_begun[register]} begun.");
            }

            // What was found is there for good.
            _acknowledged[register] = value;
            _busy[register] = false;
        }
    }

    /// <inheritdoc/>
    public Operation? BeginOperation()
    {
        int register = world.Random.Below(Registers);
        return _busy[register] ? null : new Operation($"write {register}", WriteAsync(register));
    }

    /// <inheritdoc/>
    public Task CloseAsync() => OpenAsync();

    /// <inheritdoc/>
    public void Abandon()
    {
    }

    private async Task WriteAsync(int register)
    {
        _busy[register] = true;
        long value = ++_value;
        _begun[register] = value;
        byte[] bytes = new byte[Platter.SectorSize];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        while (true)
        {
            int failedBefore = _failedFlushes;
            try
            {
                await _file.WriteAsync(register * Platter.SectorSize, bytes).ConfigureAwait(false);
                await FlushAsync().ConfigureAwait(false);
                if (_failedFlushes != failedBefore && bug != RegisterBug.FlushAgain)
                {
                    // Another one's flush may have lost what was written here, and this one had nothing to do.
                    continue;
                }

                _acknowledged[register] = value;
                _busy[register] = false;
                return;
            }
            catch (IOException)
            {
                // All over again, from the write: what a failed flush has left of it, nobody knows.
                if (bug == RegisterBug.Stall)
                {
                    await new TaskCompletionSource().Task.ConfigureAwait(false);
                }
            }
        }
    }

    private async Task FlushAsync()
    {
        if (bug == RegisterBug.NoFlush)
        {
            return;
        }

        try
        {
            await _file.FlushAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            _failedFlushes++;
            throw;
        }
    }

    private async Task<long> ReadAsync(int register)
    {
        byte[] bytes = new byte[Platter.SectorSize];
        while (true)
        {
            try
            {
                await _file.ReadAsync(register * Platter.SectorSize, bytes).ConfigureAwait(false);
                return BinaryPrimitives.ReadInt64LittleEndian(bytes);
            }
            catch (IOException)
            {
                await world.PauseAsync().ConfigureAwait(false);
            }
        }
    }
}
