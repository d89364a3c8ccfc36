namespace StorageCache;

/// <summary>How fast a checkpoint writes. The default is as fast as the device allows; if both limits are set, the slower one holds.</summary>
public sealed class CheckpointOptions
{
    /// <summary>How long writing is to take, 0 to 7 days: spread evenly over that time. Default: 0, no limit.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Bytes to write in a second at most, 0 or more. Default: 0, no limit.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>Checks the options.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is out of its range.</exception>
    internal void Validate()
    {
        if (Duration < TimeSpan.Zero || Duration > TimeSpan.FromDays(7))
        {
            throw new ArgumentOutOfRangeException("options", Duration, $"{nameof(CheckpointOptions)}.{nameof(Duration)} is {Duration}; allowed: 0 to 7 days.");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(BytesPerSecond, $"{nameof(CheckpointOptions)}.{nameof(BytesPerSecond)}");
    }
}
