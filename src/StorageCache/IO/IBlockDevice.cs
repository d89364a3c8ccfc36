namespace StorageCache.IO;

/// <summary>What a mapping reads and writes: an array of bytes that survives the process, transferred in pages.</summary>
/// <remarks>
/// <para>
/// Rules for a device. It completes each request exactly once (I/O-1) and reports every failure of a transfer through
/// <see cref="BlockRequest.Fail"/>: <see cref="Submit"/> and <see cref="Execute"/> do not throw for it (I/O-3). If they throw all the
/// same, the request has failed (I/O-15): the device does not touch its memory any more, and does not complete it. It transfers everything
/// that was asked or fails, but for a read that reaches the end of the device (I/O-5). It never makes itself longer than the last byte
/// that was written or <see cref="SetLengthAsync"/> asked for (I/O-6). A flush covers every write that was complete when the flush was
/// submitted (I/O-7).
/// </para>
/// <para>
/// Thread safety: all members may be called from any thread at any time. Transfers of overlapping ranges at the same time may tear; the
/// cache never asks for a write that overlaps another transfer. Disposal comes after the last request has completed.
/// </para>
/// </remarks>
public interface IBlockDevice : IAsyncDisposable
{
    /// <summary>What messages call the device; the path for a file.</summary>
    string Name { get; }

    /// <summary>
    /// Bytes, a power of two, 1 or more. Offsets, lengths and addresses in requests are multiples of it, but for the length of the last
    /// segment of a write, which ends where the file ends. The page size must be a multiple of it.
    /// </summary>
    int Alignment { get; }

    /// <summary>Bytes.</summary>
    /// <exception cref="IOException">The length cannot be determined.</exception>
    long Length { get; }

    /// <summary>Whether writes and changes of length are refused.</summary>
    bool IsReadOnly { get; }

    /// <summary>Starts a request. Never blocks on I/O. The request may be complete when the call returns.</summary>
    /// <param name="request">Prepared, and not submitted anywhere else.</param>
    void Submit(BlockRequest request);

    /// <summary>Runs a request to completion on the calling thread, which blocks on the I/O.</summary>
    /// <param name="request">Prepared, and not submitted anywhere else.</param>
    void Execute(BlockRequest request);

    /// <summary>
    /// Changes the length. Bytes that come in at the end are zero. No write that reaches beyond the present length, or the one asked for,
    /// is under way meanwhile: file systems are known to lose it.
    /// </summary>
    /// <param name="length">Bytes, 0 or more; may be more or less than now.</param>
    /// <param name="cancellationToken">Cancels before the change has begun; later it has no effect.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="length"/> is negative.</exception>
    /// <exception cref="IOException">The device cannot have that length. The length is unchanged.</exception>
    ValueTask SetLengthAsync(long length, CancellationToken cancellationToken);

    /// <summary>
    /// Makes a range read as zeros and gives its space back, where the device can. It does not have to: what is not overridden does
    /// nothing and says so, and the cache writes zeros instead. No transfer of the range is under way meanwhile; those of other ranges
    /// may be. What was punched is durable after the next flush.
    /// </summary>
    /// <param name="offset">The first byte; a multiple of the page size, below <see cref="Length"/>.</param>
    /// <param name="length">
    /// Bytes, 1 or more: whole pages. The last one may reach beyond <see cref="Length"/>, which stays as it is.
    /// </param>
    /// <param name="cancellationToken">Cancels before the device has begun; later it has no effect.</param>
    /// <returns>Whether the range reads as zeros now. False: the device does not punch, and nothing has changed.</returns>
    /// <exception cref="IOException">The device has failed. Bytes of the range are as they were, or zeros.</exception>
    ValueTask<bool> TryPunchAsync(long offset, long length, CancellationToken cancellationToken) => new(false);
}
