using StorageCache.Simulation.Kernel;

namespace StorageCache.Simulation.Disk;

/// <summary>A read or write, which is carried out sector by sector, in any order (SIM-4).</summary>
internal abstract class TransferRequest : DiskRequest
{
    /// <summary>Sectors that have not been transferred, by their number in the file.</summary>
    private readonly List<long> _left = [];

    protected TransferRequest(SimulatedFile file, bool isWrite, long offset, int length)
        : base(file, isWrite ? "write" : "read", offset, length)
    {
        IsWrite = isWrite;
        for (long sector = offset / Platter.SectorSize; sector * Platter.SectorSize < offset + length; sector++)
        {
            _left.Add(sector);
        }
    }

    /// <summary>Whether it goes to the disk.</summary>
    public bool IsWrite { get; }

    /// <summary>Whether it makes the file longer.</summary>
    public bool Grows => IsWrite && Offset + Length > Platter.Length;

    private Platter Platter => File.Platter;

    private SimulationRandom Random => File.Disk.Random;

    /// <summary>Up to eight neighbours: what lies beyond the end comes when the file is made longer, which is at the end.</summary>
    /// <inheritdoc/>
    public override bool CarryOutPart()
    {
        if (_left.Count < 2)
        {
            return false;
        }

        int first = Random.Below(_left.Count);
        int last = Math.Min(_left.Count, first + Random.Between(1, 8)) - 1;
        for (int i = last; i >= first; i--)
        {
            if (!IsWrite || (_left[i] + 1) * Platter.SectorSize <= Platter.Length)
            {
                Transfer(_left[i]);
                _left.RemoveAt(i);
            }
        }

        return true;
    }

    /// <inheritdoc/>
    public override void Complete()
    {
        foreach (long sector in _left)
        {
            Transfer(sector);
        }

        if (Grows)
        {
            Platter.SetLength(Offset + Length, Change);
        }

        Acknowledge(IsWrite ? (int)Length : (int)Math.Clamp(Platter.Length - Offset, 0, Length));
    }

    /// <summary>Ends a read or write that has transferred only so many bytes.</summary>
    public void CompleteShort(int bytes)
    {
        foreach (long sector in _left)
        {
            if ((sector + 1) * Platter.SectorSize <= Math.Min(Offset + bytes, Platter.Length))
            {
                Transfer(sector);
            }
        }

        Acknowledge(bytes);
    }

    /// <summary>Acknowledges a write of which nothing is made.</summary>
    public void Lose()
    {
        Platter.Damage(Offset, Length);
        if (Grows)
        {
            Platter.IsLengthDamaged = true;
        }

        Acknowledge((int)Length);
    }

    /// <summary>Acknowledges a write whose sectors have gone elsewhere, by so many bytes: those that are in the file there.</summary>
    public void Misdirect(long by)
    {
        for (long at = Offset; at < Offset + Length; at += Platter.SectorSize)
        {
            int count = (int)Math.Min(Platter.SectorSize, Offset + Length - at);
            if (at + by >= 0 && at + by + count <= Platter.Length)
            {
                Platter.WriteSector(at + by, Bytes((int)(at - Offset), count), Change, isDamage: true);
            }
        }

        // What has come to its place before went with the rest.
        Lose();
    }

    /// <summary>The memory of a part.</summary>
    protected abstract Span<byte> Bytes(int position, int count);

    /// <summary>Gives the request back to its owner, who may use it again at once.</summary>
    protected abstract void OnCompleted(int bytes);

    private void Acknowledge(int bytes)
    {
        File.Disk.Acknowledge(this);
        OnCompleted(bytes);
    }

    private void Transfer(long sector)
    {
        long from = Math.Max(Offset, sector * Platter.SectorSize);
        int count = (int)(Math.Min(Offset + Length, (sector + 1) * Platter.SectorSize) - from);
        Span<byte> bytes = Bytes((int)(from - Offset), count);
        if (IsWrite)
        {
            Platter.WriteSector(from, bytes, Change);
        }
        else
        {
            // Zeros beyond the end: by when the request ends, the file may reach further.
            Platter.Read(from, bytes);
        }
    }
}
