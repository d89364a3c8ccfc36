using Xunit;

namespace StorageCache.Tests.Stress.Storms;

/// <content>What workers do to single pages, under the lock of each.</content>
internal sealed partial class ExactFiles
{
    private void Read(StormWorker worker, ExactFile file, int page)
    {
        lock (file.Locks[page])
        {
            using PageReadLease lease = file.Mapping.Read(page);
            Check(file, page, lease.Span, file.Values[page], $"read by worker {worker.Number}");
            file.Histories[page].NoteSeen();
        }
    }

    private void ReadOptimistically(StormWorker worker, ExactFile file, int page)
    {
        lock (file.Locks[page])
        {
            OptimisticRead read = file.Mapping.ReadOptimistic(page);
            byte[] copy = read.Span.ToArray();
            if (read.Validate())
            {
                Check(file, page, copy, file.Values[page], $"read optimistically by worker {worker.Number}");
                file.Histories[page].NoteSeen();
            }
        }
    }

    private void Write(StormWorker worker, ExactFile file, int page)
    {
        bool isNew = worker.Random.Next(4) == 0;
        int value = worker.Random.Next(PageValues.Count);
        lock (file.Locks[page])
        {
            using PageWriteLease lease = isNew ? file.Mapping.WriteNew(page) : file.Mapping.Write(page);
            Check(file, page, lease.Span, isNew ? PageValues.Zeros : file.Values[page], isNew ? "asked for anew" : $"to be written by worker {worker.Number}");
            cache.Values.Write(value, lease);
            file.Values[page] = value;
            file.Histories[page].Note(worker.Number, isNew ? "written anew" : "written", value);
            if (worker.Random.Next(4) == 0)
            {
                using PageReadLease reading = lease.Downgrade();
                Check(file, page, reading.Span, value, $"downgraded by worker {worker.Number}");
            }
        }
    }

    private void Hold(StormWorker worker, ExactFile file, int page)
    {
        // Not write-back's, nor sharing's.
        ProtectionReason reason = (ProtectionReason)worker.Random.Next((int)ProtectionReason.Snapshot, (int)ProtectionReason.Sharing);
        HeldPage held;
        int value;
        lock (file.Locks[page])
        {
            held = new HeldPage(file.Mapping, page, reason, letsGo: worker.Random.Next(2) == 0);
            value = file.Values[page];
        }

        if (worker.Random.Next(6) != 0)
        {
            LetGo(held, file, page, value);
            return;
        }

        // Writers, punches, cuts and the close come while it is held.
        _kept.Enqueue((held, file, page, value));
        if (_kept.Count > MostKept && _kept.TryDequeue(out (HeldPage Held, ExactFile File, int Page, int Value) oldest))
        {
            LetGo(oldest.Held, oldest.File, oldest.Page, oldest.Value);
        }
    }

    private void LetGo(HeldPage held, ExactFile file, int page, int value)
    {
        using (held)
        {
            if (held.TryCopy() is { } bytes)
            {
                Check(file, page, bytes, value, "held (P-4)");
            }
        }
    }

    private void Check(ExactFile file, int page, ReadOnlySpan<byte> bytes, int expected, string how)
    {
        if (cache.Values.Is(expected, bytes))
        {
            return;
        }

        string found = cache.Values.Describe(bytes);
        string others = string.Concat(_files.Where(other => other != file).Select(other => $"\n  page {page} of file {other.Number}:{other.Histories[page]}"));
        Assert.Fail(
            $"page {page} of file {file.Number}, {how}: found {found}, expected value {expected}; the file has {cache.DescribeOnDisk(file.Path, page)}"
            + $"\n  page {page} of file {file.Number}:{file.Histories[page]}\n  file {file.Number}:{file.History}{others}");
    }
}
