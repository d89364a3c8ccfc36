namespace StorageCache.Tests.Stress;

/// <content>The steps of a thread.</content>
internal sealed partial class StressRound
{
    private void StepBlocking(int worker, Random random, Mapping mapping, PageOracle oracle, long page)
    {
        (long, long) floor = oracle.Floor(page);
        switch (random.Next(13))
        {
            case 0 or 1:
                _doing[worker] = $"Read {page}";
                using (PageReadLease lease = mapping.Read(page))
                {
                    oracle.Check(page, lease.Span, floor, "read");
                }

                break;
            case 2:
                _doing[worker] = $"Read {page} with time-out";
                using (PageReadLease lease = mapping.Read(page, TimeSpan.FromMilliseconds(1 + random.Next(10))))
                {
                    oracle.Check(page, lease.Span, floor, "read in time");
                }

                break;
            case 3 or 4:
                _doing[worker] = $"Write {page}";
                long epoch = oracle.Epoch;
                using (PageWriteLease lease = random.Next(4) == 0 ? mapping.Write(page, TimeSpan.FromMilliseconds(1 + random.Next(10))) : mapping.Write(page))
                {
                    PageSteps.Change(oracle, page, lease, floor, epoch, "written");
                }

                break;
            case 5 or 6:
                _doing[worker] = $"ReadOptimistic {page}";
                PageSteps.Peek(oracle, page, mapping.ReadOptimistic(page), floor, "read optimistically");
                break;
            case 7:
                _doing[worker] = $"Pin {page}";
                using (PagePin pin = mapping.Pin(page))
                {
                    PageSteps.UsePin(random, oracle, page, pin, floor);
                }

                break;
            case 8:
                _doing[worker] = $"WriteNew {page}";
                PageSteps.Renew(random, mapping, oracle, page);
                break;
            case 9:
                _doing[worker] = $"ahead {page}";
                PageSteps.LookAhead(random, mapping, page);
                break;
            case 10 when random.Next(4) == 0:
                _doing[worker] = $"sequence {page}";
                PageSteps.ReadSequence(random, mapping, oracle, page);
                break;
            default:
                _doing[worker] = $"Try {page}";
                PageSteps.Try(random, mapping, oracle, page, floor);
                break;
        }
    }
}
