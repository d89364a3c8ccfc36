using System.Buffers.Binary;
using System.Runtime.InteropServices;
using StorageCache.Simulation.Disk;

namespace StorageCache.Simulation.Scenarios.Engine;

/// <summary>What pages hold in <see cref="EngineScenario"/>: each sector says whose it is and of which version, down to its last byte.</summary>
internal static class PageStamp
{
    /// <summary>The version of a sector of zeros.</summary>
    public const long Zeros = 0;

    /// <summary>What <see cref="VersionOf"/> says of a sector that nobody has written so.</summary>
    public const long Garbage = -1;

    private const ulong Mark = 0x5374616D70656421;

    /// <summary>Writes a version to a sector.</summary>
    public static void Write(Span<byte> sector, int file, long page, int number, long version)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(sector);
        words[0] = Mark + (ulong)file;
        words[1] = ((ulong)page << 8) + (ulong)number;
        words[2] = (ulong)version;
        ulong word = (words[0] * 31) + (words[1] * 0x9E3779B97F4A7C15) + words[2];
        for (int i = 3; i < words.Length; i++)
        {
            word = (word ^ (word >> 29)) * 0xBF58476D1CE4E5B9;
            words[i] = word;
        }
    }

    /// <summary>Writes a version to all sectors of a page.</summary>
    public static void WritePage(Span<byte> bytes, int file, long page, long version)
    {
        for (int i = 0; i < bytes.Length / Platter.SectorSize; i++)
        {
            Write(bytes.Slice(i * Platter.SectorSize, Platter.SectorSize), file, page, i, version);
        }
    }

    /// <summary>Which version a sector holds.</summary>
    public static long VersionOf(ReadOnlySpan<byte> sector, int file, long page, int number)
    {
        if (!sector.ContainsAnyExcept((byte)0))
        {
            return Zeros;
        }

        Span<byte> expected = stackalloc byte[Platter.SectorSize];
        long version = BinaryPrimitives.ReadInt64LittleEndian(sector[16..]);
        Write(expected, file, page, number, version);
        return sector.SequenceEqual(expected) && version > Zeros ? version : Garbage;
    }
}
