using StorageCache.Platform;

namespace StorageCache.Simulation.Disk;

/// <content>How requests end: well, or with what chance has it that goes wrong.</content>
internal sealed partial class SimulatedDisk
{
    private void Finish(DiskRequest request)
    {
        switch (request)
        {
            case TransferRequest { IsWrite: false } read:
                FinishRead(read);
                break;
            case TransferRequest write:
                FinishWrite(write);
                break;
            case FlushOfFile flush:
                FinishFlush(flush);
                break;
            default:
                FinishChange(request);
                break;
        }
    }

    private void FinishRead(TransferRequest read)
    {
        if (IsBad(read) || Befalls(Fault.ReadError))
        {
            Fail(read, Errno.EIO, "the disk cannot read it");
        }
        else if (read.Length > Platter.SectorSize && read.Offset + read.Length <= read.File.Platter.Length && Befalls(Fault.ShortRead))
        {
            int bytes = random.Below((int)read.Length / Platter.SectorSize) * Platter.SectorSize;
            read.File.Platter.Damage(read.Offset + bytes, read.Length - bytes);
            read.CompleteShort(bytes);
        }
        else
        {
            read.Complete();
        }
    }

    private void FinishWrite(TransferRequest write)
    {
        if (IsBad(write) || Befalls(Fault.WriteError))
        {
            Fail(write, Errno.EIO, "the disk cannot write it");
        }
        else if ((write.Grows || WritesElsewhere) && Befalls(Fault.NoSpace))
        {
            Fail(write, Errno.ENOSPC, "there is no room");
        }
        else if (Befalls(Fault.TornWrite))
        {
            while (write.CarryOutPart() && random.PerMille(700))
            {
            }

            Fail(write, Errno.EIO, "the disk has written a part of it");
        }
        else if (write.Length > Platter.SectorSize && Befalls(Fault.ShortWrite))
        {
            CountFailure(write);
            write.CompleteShort(random.Below((int)write.Length / Platter.SectorSize) * Platter.SectorSize);
        }
        else if (Befalls(Fault.LostWrite))
        {
            write.Lose();
        }
        else if (Befalls(Fault.MisdirectedWrite))
        {
            long sectors = Math.Max(1, write.File.Platter.Length / Platter.SectorSize);
            write.Misdirect(((random.Below(sectors) * Platter.SectorSize) - write.Offset) / Platter.SectorSize * Platter.SectorSize);
        }
        else
        {
            write.Complete();
        }
    }

    private void FinishFlush(FlushOfFile flush)
    {
        if (Befalls(Fault.FlushError))
        {
            Fail(flush, Errno.EIO, "the disk cannot flush");
        }
        else if (Befalls(Fault.DroppingFlush))
        {
            flush.File.Platter.Drop(random, all: random.PerMille(500));
            Fail(flush, Errno.EIO, "the disk has lost what was to be flushed");
        }
        else if (Befalls(Fault.LyingFlush))
        {
            flush.Lie();
        }
        else
        {
            flush.Complete();
        }
    }

    private void FinishChange(DiskRequest request)
    {
        if (request.Operation == "length" && request.Offset > request.File.Platter.Length && Befalls(Fault.NoSpace))
        {
            Fail(request, Errno.ENOSPC, "there is no room");
        }
        else if (Befalls(Fault.WriteError))
        {
            Fail(request, Errno.EIO, "the disk cannot write");
        }
        else
        {
            request.Complete();
        }
    }

    private bool IsBad(TransferRequest transfer)
    {
        long first = transfer.Offset / Platter.SectorSize;
        long sectors = (transfer.Length + Platter.SectorSize - 1) / Platter.SectorSize;
        HashSet<long> bad = transfer.File.BadSectors;
        if (sectors > 0 && Befalls(Fault.BadSectors))
        {
            long from = first + random.Below(sectors);
            long end = from + random.Between(1, 8);
            for (long sector = from; sector < end; sector++)
            {
                bad.Add(sector);
            }
        }

        if (bad.Count == 0 || !faults.IsOn)
        {
            return false;
        }

        for (long sector = first; sector < first + sectors; sector++)
        {
            if (bad.Contains(sector))
            {
                return true;
            }
        }

        return false;
    }

    private void Fail(DiskRequest request, int errno, string cause)
    {
        trace.Add("failed", request.File.Name, request.Number, errno);
        CountFailure(request);

        // What has got somewhere all the same is where a flush from now on finds it.
        request.Change.Acknowledged = ++_acknowledged;
        request.Fail(request.Error(errno, cause));
    }

    private void CountFailure(DiskRequest request)
    {
        FailureCounts counts = FailuresOf(request.File.Name);
        _failures[request.File.Name] = request switch
        {
            TransferRequest { IsWrite: false } => counts with { Reads = counts.Reads + 1 },
            TransferRequest => counts with { Writes = counts.Writes + 1 },
            FlushOfFile => counts with { Flushes = counts.Flushes + 1 },
            _ => counts with { Changes = counts.Changes + 1 },
        };
    }

    private bool Befalls(Fault fault)
    {
        if (!faults.Strikes(fault, random))
        {
            return false;
        }

        _strikes[fault] = _strikes.GetValueOrDefault(fault) + 1;
        trace.Add("fault", fault.ToString());
        return true;
    }
}
