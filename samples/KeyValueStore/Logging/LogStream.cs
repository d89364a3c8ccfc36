using System.Runtime.CompilerServices;
using StorageCache.IO;

namespace StorageCache.KeyValueStore.Logging;

/// <summary>The stream of a log as it lies in its file, read in large pieces. One party at a time.</summary>
internal sealed class LogStream(IBlockDevice device, LogGeometry geometry, Dictionary<long, int> slots)
{
    private const int WindowBytes = 1 << 20;

    private readonly DeviceChannel _channel = new(device);
    private readonly AlignedBuffer _window = new(Math.Min(WindowBytes, geometry.SegmentData));

    /// <summary>LSN of the first byte in the window.</summary>
    private ulong _start;

    /// <summary>Bytes in the window.</summary>
    private int _length;

    public LogGeometry Geometry => geometry;

    public string Name => device.Name;

    /// <summary>Where an LSN lies in the file: bytes, or -1 if its segment is not there.</summary>
    public long OffsetOf(ulong lsn) =>
        lsn >= geometry.FirstLsn && slots.TryGetValue(geometry.SegmentOf(lsn), out int slot) ? geometry.OffsetOf(slot, lsn) : -1;

    /// <summary>Whether the file has all segments of a range of 1 byte or more.</summary>
    public bool Has(ulong lsn, long length)
    {
        if (lsn < geometry.FirstLsn)
        {
            return false;
        }

        long last = geometry.SegmentOf(lsn + (ulong)length - 1);
        for (long segment = geometry.SegmentOf(lsn); segment <= last; segment++)
        {
            if (!slots.ContainsKey(segment))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Copies a range which <see cref="Has"/> says is there.</summary>
    /// <exception cref="LogCorruptException">The file has become shorter.</exception>
    /// <exception cref="IOException">The device has failed.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask CopyAsync(ulong lsn, Memory<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            if (lsn - _start >= (ulong)_length)
            {
                await LoadAsync(lsn).ConfigureAwait(false);
            }

            int from = (int)(lsn - _start);
            int count = Math.Min(destination.Length, _length - from);
            _window.Span.Slice(from, count).CopyTo(destination.Span);
            destination = destination[count..];
            lsn += (ulong)count;
        }
    }

    /// <summary>Forgets what was read, so that the device is asked again.</summary>
    public void Forget() => _length = 0;

    private async ValueTask LoadAsync(ulong lsn)
    {
        _length = 0;
        ulong start = lsn - (lsn % (ulong)SegmentHeader.Room);
        long segment = geometry.SegmentOf(start);
        int length = (int)Math.Min((ulong)_window.Size, geometry.StartOf(segment + 1) - start);
        long offset = geometry.OffsetOf(slots[segment], start);
        int read = await _channel.ReadAsync(offset, _window, length).ConfigureAwait(false);
        if (read < length)
        {
            throw new LogCorruptException(Name, start, offset, $"{length} bytes of segment {segment}", $"{read}, behind which the file ends");
        }

        _start = start;
        _length = length;
    }
}
