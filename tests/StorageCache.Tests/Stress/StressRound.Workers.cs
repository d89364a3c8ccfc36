namespace StorageCache.Tests.Stress;

/// <content>The workers: random steps until the time is over, and what may go wrong in one.</content>
internal sealed partial class StressRound
{
    private static bool IsExpected(Exception error) => error is PageReadException or PageWriteException or PageTruncatedException
        or CacheFullException or LatchTimeoutException or OperationCanceledException or MappingClosedException or MappingBusyException;

    private void WorkBlocking(int worker)
    {
        var random = new Random((_configuration.Seed * 101) + worker);
        while (Environment.TickCount64 < Volatile.Read(ref _deadline))
        {
            Volatile.Write(ref _progress[worker], Environment.TickCount64);
            int file = random.Next(Files);
            try
            {
                StepBlocking(worker, random, _mappings[file], _oracles[file], PickPage(random));
            }
            catch (Exception error) when (IsExpected(error))
            {
                Ended(error);
            }
            catch (Exception error)
            {
                PageOracle.Fail($"worker {worker}, {_doing[worker]}: {error}");
            }
        }

        Volatile.Write(ref _progress[worker], long.MaxValue);
    }

    private async Task WorkAsync(int worker)
    {
        var random = new Random((_configuration.Seed * 103) + worker);
        while (Environment.TickCount64 < Volatile.Read(ref _deadline))
        {
            Volatile.Write(ref _progress[worker], Environment.TickCount64);
            int file = random.Next(Files);
            try
            {
                await StepAsync(worker, random, _mappings[file], _oracles[file], PickPage(random));
            }
            catch (Exception error) when (IsExpected(error))
            {
                Ended(error);
            }
            catch (Exception error)
            {
                PageOracle.Fail($"worker {worker}, {_doing[worker]}: {error}");
            }

            if (random.Next(16) == 0)
            {
                await Task.Yield();
            }
        }

        Volatile.Write(ref _progress[worker], long.MaxValue);
    }

    private void Ended(Exception error)
    {
        if (error is PageReadException or PageWriteException && _configuration.Failures == 0)
        {
            PageOracle.Fail($"a perfect device failed: {error}");
        }

        if (error is MappingClosedException && !_configuration.ClosesUnderLoad)
        {
            PageOracle.Fail($"nobody closed anything: {error}");
        }
    }

    private long PickPage(Random random)
    {
        // A few hot pages, so that workers meet.
        int reach = _configuration.Truncates ? _configuration.Pages : _configuration.StablePages;
        return random.Next(3) == 0 ? random.Next(4) : random.Next(reach);
    }
}
