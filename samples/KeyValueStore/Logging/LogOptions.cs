using System.Security.Cryptography;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>How a log is made and used. Immutable; may be used for any number of logs.</summary>
internal sealed class LogOptions
{
    /// <summary>The least <see cref="SegmentBytes"/>.</summary>
    public const int LeastSegmentBytes = 64 << 10;

    /// <summary>The greatest <see cref="SegmentBytes"/>.</summary>
    public const int GreatestSegmentBytes = 1 << 30;

    /// <summary>The most that one reservation may be, in bytes.</summary>
    public const int GreatestReservation = 256 << 20;

    /// <summary>Bytes of a segment of a new log: 64 KiB to 1 GiB, a multiple of 4096. Default: 16 MiB. A log that exists has its own.</summary>
    public int SegmentBytes { get; init; } = 16 << 20;

    /// <summary>
    /// Bytes of a block of a new log, a power of two from 512 to 4096, at least the alignment of its device. Default: 4096, which no drive
    /// writes in part whatever sectors it says it has. A log that exists has its own.
    /// </summary>
    public int BlockBytes { get; init; } = 4096;

    /// <summary>Segments that a new log begins with and that a log is never cut below: 1 or more. Default: 2.</summary>
    public int MinimumSegments { get; init; } = 2;

    /// <summary>Bytes of memory for what is appended and not yet written: 64 KiB to 256 MiB, a multiple of 4096. Default: 4 MiB.</summary>
    public int BufferBytes { get; init; } = 4 << 20;

    /// <summary>How often a write is tried before the log is failed: 1 or more. Default: 5.</summary>
    public int WriteAttempts { get; init; } = 5;

    /// <summary>How long to wait after the first failed attempt at a write; twice as long after each further one. Default: 10 ms.</summary>
    public TimeSpan WriteRetryDelay { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>What measures <see cref="WriteRetryDelay"/>.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Gives the 64 bits that tell one opening for writing from every other one.</summary>
    public Func<ulong> EpochSource { get; init; } = static () => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    /// <summary>Refuses what is out of range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A member is; the message names it, its value and the range.</exception>
    internal void Validate()
    {
        Require(
            SegmentBytes is >= LeastSegmentBytes and <= GreatestSegmentBytes && SegmentBytes % 4096 == 0,
            nameof(SegmentBytes),
            SegmentBytes,
            $"{LeastSegmentBytes} to {GreatestSegmentBytes}, a multiple of 4096");
        Require(BlockBytes is 512 or 1024 or 2048 or 4096, nameof(BlockBytes), BlockBytes, "512, 1024, 2048 or 4096");
        Require(MinimumSegments >= 1, nameof(MinimumSegments), MinimumSegments, "1 or more");
        Require(
            BufferBytes is >= 64 << 10 and <= GreatestReservation && BufferBytes % 4096 == 0,
            nameof(BufferBytes),
            BufferBytes,
            $"65536 to {GreatestReservation}, a multiple of 4096");
        Require(WriteAttempts >= 1, nameof(WriteAttempts), WriteAttempts, "1 or more");
        Require(WriteRetryDelay >= TimeSpan.Zero, nameof(WriteRetryDelay), WriteRetryDelay, "0 or more");
    }

    private static void Require(bool holds, string member, object value, string allowed)
    {
        if (!holds)
        {
            throw new ArgumentOutOfRangeException(member, value, $"LogOptions.{member} is {value}; allowed: {allowed}.");
        }
    }
}
