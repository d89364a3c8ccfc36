namespace StorageCache.Tests.Stress;

/// <content>The steps of a task, among them what concerns a whole file or the cache.</content>
internal sealed partial class StressRound
{
    private async Task StepAsync(int worker, Random random, Mapping mapping, PageOracle oracle, long page)
    {
        (long, long) floor = oracle.Floor(page);
        using CancellationTokenSource? source = random.Next(6) == 0 ? new CancellationTokenSource() : null;
        if (source is not null)
        {
            source.CancelAfter(TimeSpan.FromMilliseconds(random.Next(4)));
        }

        CancellationToken token = source?.Token ?? default;
        switch (random.Next(100))
        {
            case < 25:
                _doing[worker] = $"ReadAsync {page}";
                using (PageReadLease lease = await mapping.ReadAsync(page, token))
                {
                    oracle.Check(page, lease.Span, floor, "read");
                    if (random.Next(8) == 0)
                    {
                        await Task.Yield();
                        oracle.Check(page, lease.Span, floor, "read and held");
                    }
                }

                break;
            case < 50:
                _doing[worker] = $"WriteAsync {page}";
                long epoch = oracle.Epoch;
                using (PageWriteLease lease = random.Next(4) == 0
                    ? await mapping.WriteAsync(page, TimeSpan.FromMilliseconds(1 + random.Next(10)), token)
                    : await mapping.WriteAsync(page, token))
                {
                    PageSteps.Change(oracle, page, lease, floor, epoch, "written");
                    if (random.Next(8) == 0)
                    {
                        await Task.Yield();
                    }
                }

                break;
            case < 60:
                _doing[worker] = $"ReadOptimisticAsync {page}";
                PageSteps.Peek(oracle, page, await mapping.ReadOptimisticAsync(page, token), floor, "read optimistically");
                break;
            case < 70:
                _doing[worker] = $"PinAsync {page}";
                using (PagePin pin = await mapping.PinAsync(page, token))
                {
                    await Task.Yield();
                    PageSteps.UsePin(random, oracle, page, pin, floor);
                }

                break;
            case < 78:
                _doing[worker] = $"WriteNewAsync {page}";
                await PageSteps.RenewAsync(mapping, oracle, page, token);
                break;
            case < 82:
                _doing[worker] = "FlushAsync";
                await FlushAsync(mapping, oracle, token);
                break;
            case < 84:
                _doing[worker] = $"ahead {page}";
                PageSteps.LookAhead(random, mapping, page);
                break;
            case < 85:
                _doing[worker] = $"PageReadStream {page}";
                await PageSteps.StreamAsync(random, mapping, oracle, page, token);
                break;
            case 85 when _configuration.Truncates:
                _doing[worker] = "TruncateAsync";
                await TruncateAsync(random, mapping, oracle, token);
                break;
            case 86 when _configuration.Truncates:
                _doing[worker] = "ExtendAsync";
                await mapping.ExtendAsync(random.Next(_configuration.Pages) * (long)_configuration.PageSize, token);
                break;
            case 87 when _configuration.Resizes && random.Next(4) == 0:
                _doing[worker] = "ResizeAsync";
                await _cache.ResizeAsync(Limit(64 + random.Next(_configuration.Frames * 2)), token);
                break;
            default:
                _doing[worker] = $"Try {page}";
                PageSteps.Try(random, mapping, oracle, page, floor);
                break;
        }
    }

    private async Task FlushAsync(Mapping mapping, PageOracle oracle, CancellationToken token)
    {
        long[] floors = [.. Enumerable.Range(0, oracle.StablePages).Select(page => oracle.Floor(page).Version)];
        await mapping.FlushAsync(token);
        if (mapping.Device is not UnreliableDevice device)
        {
            return;
        }

        byte[] version = new byte[8];
        for (int page = 0; page < floors.Length; page++)
        {
            device.Inner.Read((page * (long)_configuration.PageSize) + 16, version);
            if (BitConverter.ToInt64(version) < floors[page])
            {
                PageOracle.Fail($"page {page} of file {Array.IndexOf(_oracles, oracle) + 1}: the flush was acknowledged, but the device has version {BitConverter.ToInt64(version)}, not {floors[page]}");
            }
        }
    }

    private async Task TruncateAsync(Random random, Mapping mapping, PageOracle oracle, CancellationToken token)
    {
        long pages = random.Next(_configuration.StablePages, _configuration.Pages);
        if (!Monitor.TryEnter(oracle))
        {
            return;
        }

        // Only the start and the end of a truncation count, and one at a time; the lock is not held across the wait.
        bool mine = (oracle.Epoch & 1) == 0;
        if (mine)
        {
            oracle.TruncationChanges();
        }

        Monitor.Exit(oracle);
        if (!mine)
        {
            return;
        }

        try
        {
            await mapping.TruncateAsync(Math.Min(pages * _configuration.PageSize, mapping.Length), token);
        }
        catch (ArgumentOutOfRangeException)
        {
            // Somebody else was faster.
        }
        finally
        {
            oracle.TruncationChanges();
        }
    }
}
