using System.Buffers.Binary;
using System.IO.Hashing;

namespace StorageCache.Tests.Stress;

/// <summary>
/// Knows, without a lock, the least version of each page that must be visible, and what a page of a version looks like:
/// file, number, version, a filling that depends on all three, and a checksum. A page of zeros is version 0.
/// </summary>
/// <remarks>
/// Pages from <see cref="StablePages"/> on may be truncated away at any time. What is known about them holds only while
/// no truncation has begun since: <see cref="Epoch"/> is odd during one.
/// </remarks>
internal sealed class PageOracle(int file, int pages, int stablePages)
{
    private const int HeaderBytes = 32;

    private readonly long[] _floors = new long[pages];
    private readonly long[] _epochs = new long[pages];
    private long _epoch;

    public int Pages => pages;

    public int StablePages => stablePages;

    public long Epoch => Volatile.Read(ref _epoch);

    public void TruncationChanges() => Interlocked.Increment(ref _epoch);

    /// <summary>The least version that must be visible to who looks after this call, and when that was known.</summary>
    public (long Version, long Epoch) Floor(long page)
    {
        long epoch = Volatile.Read(ref _epochs[page]);
        return (Volatile.Read(ref _floors[page]), epoch);
    }

    /// <summary>Notes a version. Under the page's exclusive latch.</summary>
    public void Raise(long page, long version, long epochBefore)
    {
        // The epoch of a floor is never newer than the floor: written after it, read before it.
        Volatile.Write(ref _floors[page], version);
        Volatile.Write(ref _epochs[page], epochBefore);
    }

    public bool IsKnown(long page, long epoch) => page < stablePages || ((epoch & 1) == 0 && Epoch == epoch);

    /// <summary>Checks a page that was acquired after its floor had been read. Returns its version.</summary>
    public long Check(long page, ReadOnlySpan<byte> bytes, (long Version, long Epoch) floor, string how)
    {
        long version = Parse(page, bytes, how);
        if (version < floor.Version && IsKnown(page, floor.Epoch))
        {
            Fail($"page {page} of file {file}, {how}: version {version}, but {floor.Version} was visible before");
        }

        return version;
    }

    /// <summary>Checks that a page is whole. Returns its version.</summary>
    public long Parse(long page, ReadOnlySpan<byte> bytes, string how)
    {
        long version = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        if (version == 0)
        {
            if (bytes.ContainsAnyExcept((byte)0))
            {
                Fail($"page {page} of file {file}, {how}: no version and not zero at {bytes.IndexOfAnyExcept((byte)0)}");
            }

            return 0;
        }

        int wrongFile = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        long wrongPage = BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]);
        if (wrongFile != file || wrongPage != page)
        {
            Fail($"page {page} of file {file}, {how}: holds page {wrongPage} of file {wrongFile}, version {version}");
        }

        ulong sum = BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]);
        if (sum != Sum(version, bytes))
        {
            Fail($"page {page} of file {file}, {how}: version {version} is torn");
        }

        return version;
    }

    public void Write(long page, Span<byte> bytes, long version)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes, file);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], page);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], version);
        bytes[HeaderBytes..].Fill((byte)(version + page));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], Sum(version, bytes));
    }

    public static void Fail(string what) =>
        Environment.FailFast($"StorageCache stress, seed {StressTime.Seed}: {what}.");

    private static ulong Sum(long version, ReadOnlySpan<byte> bytes) => XxHash3.HashToUInt64(bytes[HeaderBytes..], version);
}
