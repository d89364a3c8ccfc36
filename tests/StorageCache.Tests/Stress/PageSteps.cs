namespace StorageCache.Tests.Stress;

/// <summary>What the workers do with one page, each beside all the others, and what they must find there.</summary>
internal static class PageSteps
{
    public static void Change(PageOracle oracle, long page, PageWriteLease lease, (long Version, long Epoch) floor, long epoch, string how)
    {
        long version = oracle.Check(page, lease.Span, floor, how);
        oracle.Write(page, lease.Span, version + 1);
        lease.MarkDirty();
        oracle.Raise(page, version + 1, epoch);
    }

    public static void Peek(PageOracle oracle, long page, OptimisticRead read, (long Version, long Epoch) floor, string how)
    {
        byte[] copy = read.Span.ToArray();
        if (read.Validate())
        {
            oracle.Check(page, copy, floor, how);
        }
    }

    public static void UsePin(Random random, PageOracle oracle, long page, in PagePin pin, (long Version, long Epoch) floor)
    {
        long epoch = oracle.Epoch;
        switch (random.Next(3))
        {
            case 0 when pin.TryRead(out PageReadLease lease):
                using (lease)
                {
                    oracle.Check(page, lease.Span, floor, "read through a pin");
                }

                break;
            case 1 when pin.TryWrite(out PageWriteLease lease):
                using (lease)
                {
                    Change(oracle, page, lease, floor, epoch, "written through a pin");
                }

                break;
            case 2 when pin.TryReadOptimistic(out OptimisticRead read):
                Peek(oracle, page, read, floor, "read optimistically through a pin");
                break;
        }
    }

    public static void Try(Random random, Mapping mapping, PageOracle oracle, long page, (long Version, long Epoch) floor)
    {
        long epoch = oracle.Epoch;
        switch (random.Next(6))
        {
            case 0 when mapping.TryRead(page, out PageReadLease lease):
                using (lease)
                {
                    oracle.Check(page, lease.Span, floor, "tried to read");
                }

                break;
            case 1 when mapping.TryWrite(page, out PageWriteLease lease):
                Change(oracle, page, lease, floor, epoch, "tried to write");
                using (PageReadLease shared = lease.Downgrade())
                {
                    oracle.Check(page, shared.Span, floor, "downgraded");
                }

                break;
            case 2 when mapping.TryReadOptimistic(page, out OptimisticRead read):
                Peek(oracle, page, read, floor, "tried to read optimistically");
                break;
            case 3 when mapping.TryPin(page, out PagePin pin):
                using (pin)
                {
                    UsePin(random, oracle, page, pin, floor);
                }

                break;
            case 4 when mapping.TryReadOptimistic(page, out OptimisticRead read) && read.TryUpgrade(out PageWriteLease lease):
                using (lease)
                {
                    Change(oracle, page, lease, floor, epoch, "upgraded");
                }

                break;
            case 5 when page < mapping.PageCount && mapping.TryWriteNew(page, out PageWriteLease lease):
                using (lease)
                {
                    Remake(oracle, page, lease, epoch);
                }

                break;
        }
    }

    public static void LookAhead(Random random, Mapping mapping, long page)
    {
        switch (random.Next(4))
        {
            case 0:
                mapping.DontNeed(page, random.Next(40));
                break;
            case 1 when random.Next(8) == 0:
                mapping.AccessPattern = (AccessPattern)random.Next(3);
                break;
            default:
                mapping.Prefetch(page, random.Next(40));
                break;
        }
    }

    /// <summary>Neighbours one after the other, upwards or downwards, beside whoever else reads or changes them.</summary>
    public static void ReadSequence(Random random, Mapping mapping, PageOracle oracle, long page)
    {
        int direction = random.Next(2) == 0 ? 1 : -1;
        for (int left = random.Next(60); left > 0 && page >= 0 && page < oracle.Pages; left--, page += direction)
        {
            (long, long) floor = oracle.Floor(page);
            using PageReadLease lease = mapping.Read(page);
            oracle.Check(page, lease.Span, floor, "read in sequence");
        }
    }

    public static async Task StreamAsync(Random random, Mapping mapping, PageOracle oracle, long page, CancellationToken token)
    {
        long[] pages = [.. Enumerable.Range(0, random.Next(60)).Select(i => random.Next(2) == 0 ? Math.Min(page + i, oracle.Pages - 1) : random.NextInt64(page + 1))];
        using PageReadStream stream = mapping.OpenReadStream(pages, new PageReadStreamOptions { Scan = random.Next(2) == 0 });
        foreach (long expected in pages)
        {
            (long, long) floor = oracle.Floor(expected);
            if (!await stream.MoveNextAsync(token) || stream.Page != expected)
            {
                PageOracle.Fail($"a stream gave page {stream.Page}, not {expected}");
            }

            if (random.Next(4) == 0)
            {
                using PageReadLease lease = await stream.ReadAsync(token);
                oracle.Check(expected, lease.Span, floor, "read by a stream");
                continue;
            }

            using PagePin pin = stream.Pin();
            stream.Release();
            UsePin(random, oracle, expected, pin, floor);
        }
    }

    public static void Renew(Random random, Mapping mapping, PageOracle oracle, long page)
    {
        long epoch = oracle.Epoch;
        using PageWriteLease lease = random.Next(3) == 0 ? mapping.WriteNew(page, TimeSpan.FromMilliseconds(1 + random.Next(3))) : mapping.WriteNew(page);
        Remake(oracle, page, lease, epoch);
    }

    public static async Task RenewAsync(Mapping mapping, PageOracle oracle, long page, CancellationToken token)
    {
        long epoch = oracle.Epoch;
        using PageWriteLease lease = await mapping.WriteNewAsync(page, token);
        Remake(oracle, page, lease, epoch);
    }

    private static void Remake(PageOracle oracle, long page, PageWriteLease lease, long epoch)
    {
        if (lease.Span.ContainsAnyExcept((byte)0))
        {
            PageOracle.Fail($"page {page} was asked for anew and is not zero");
        }

        // Whoever wrote last has noted it under the latch that is held here.
        long version = oracle.Floor(page).Version + 1;
        oracle.Write(page, lease.Span, version);
        lease.MarkDirty();
        oracle.Raise(page, version, epoch);
    }
}
