using StorageCache.Platform;

namespace StorageCache.IO;

/// <summary>
/// The only way into a device's code. A device may be anybody's: whatever it throws fails the operation that it was asked for,
/// and gets no further (I/O-15). Thread-safe.
/// </summary>
/// <remarks>
/// A device that throws may have completed the request before, and the owner may have reused it since; the number of the
/// submission tells. Such an exception belongs to no operation any more and is dropped. What the owner's completion throws, run
/// by the device, is not the device's and goes on. A device never runs in the cache's own context (T-1), nor on a thread that keeps
/// requests back (I/O-19), unless it is an <see cref="IPluggableDevice"/>.
/// </remarks>
internal static class DeviceBoundary
{
    /// <summary><see cref="IBlockDevice.Submit"/>. Does not throw for what the device does.</summary>
    public static void Submit(IBlockDevice device, BlockRequest request)
    {
        long submission = request.Submission;
        try
        {
            using OwnThread.Absence absence = OwnThread.Leave();
            if (device is IPluggableDevice)
            {
                device.Submit(request);
            }
            else
            {
                using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
                device.Submit(request);
            }
        }
        catch (Exception error) when (!BlockRequest.IsOwners(error))
        {
            request.Forsake(submission, device, error);
        }
    }

    /// <summary><see cref="IBlockDevice.Execute"/>. Does not throw for what the device does.</summary>
    public static void Execute(IBlockDevice device, BlockRequest request)
    {
        long submission = request.Submission;
        try
        {
            using OwnThread.Absence absence = OwnThread.Leave();
            using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
            device.Execute(request);
        }
        catch (Exception error) when (!BlockRequest.IsOwners(error))
        {
            request.Forsake(submission, device, error);
        }
    }

    /// <summary><see cref="IBlockDevice.SetLengthAsync"/>, not to be cancelled.</summary>
    /// <exception cref="IOException">The device refuses or fails.</exception>
    public static async Task SetLengthAsync(IBlockDevice device, long length)
    {
        try
        {
            await Begin().ConfigureAwait(true);
        }
        catch (Exception error) when (error is not IOException)
        {
            throw Failure($"set the length to {length} bytes of", device, error);
        }

        ValueTask Begin()
        {
            using OwnThread.Absence absence = OwnThread.Leave();
            using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
            return device.SetLengthAsync(length, CancellationToken.None);
        }
    }

    /// <summary><see cref="IExtentDevice.GetExtentsAsync"/>.</summary>
    /// <exception cref="IOException">The device fails.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async Task<Extent[]> GetExtentsAsync(IExtentDevice device, long offset, long length, CancellationToken cancellationToken)
    {
        try
        {
            return await Begin().ConfigureAwait(true);
        }
        catch (Exception error) when (error is not IOException && !IsCancellation(error, cancellationToken))
        {
            throw Failure("get the extents of", device, error);
        }

        ValueTask<Extent[]> Begin()
        {
            using OwnThread.Absence absence = OwnThread.Leave();
            using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
            return device.GetExtentsAsync(offset, length, cancellationToken);
        }
    }

    /// <summary><see cref="IExtentDevice.CloneFromAsync"/>.</summary>
    /// <exception cref="IOException">The device refuses or fails.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static async Task<CloneOutcome> CloneFromAsync(IExtentDevice device, FileBlockDevice source, CancellationToken cancellationToken)
    {
        try
        {
            return await Begin().ConfigureAwait(true);
        }
        catch (Exception error) when (error is not IOException && !IsCancellation(error, cancellationToken))
        {
            throw Failure($"clone '{source.Name}' to", device, error);
        }

        ValueTask<CloneOutcome> Begin()
        {
            using OwnThread.Absence absence = OwnThread.Leave();
            using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
            return device.CloneFromAsync(source, cancellationToken);
        }
    }

    /// <summary><see cref="IBlockDevice.TryPunchAsync"/>, not to be cancelled.</summary>
    /// <exception cref="IOException">The device fails.</exception>
    public static async Task<bool> TryPunchAsync(IBlockDevice device, long offset, long length)
    {
        try
        {
            return await Begin().ConfigureAwait(true);
        }
        catch (Exception error) when (error is not IOException)
        {
            throw Failure($"punch {length} bytes at offset {offset} of", device, error);
        }

        ValueTask<bool> Begin()
        {
            using OwnThread.Absence absence = OwnThread.Leave();
            using SubmissionPlug.Suspension unplugged = SubmissionPlug.Suspend();
            return device.TryPunchAsync(offset, length, CancellationToken.None);
        }
    }

    /// <summary><see cref="IBlockDevice.Length"/>.</summary>
    /// <exception cref="IOException">The device does not say, or says nonsense.</exception>
    public static long LengthOf(IBlockDevice device)
    {
        long length;
        try
        {
            length = device.Length;
        }
        catch (Exception error) when (error is not IOException)
        {
            throw Failure("get the length of", device, error);
        }

        return length >= 0 ? length : throw new BlockIOException($"'{NameOf(device)}' says that its length is {length} bytes.", Errno.EIO);
    }

    /// <summary>What a transfer fails with whose device threw.</summary>
    public static IOException Wrap(BlockRequest request, IBlockDevice device, Exception error) => error as IOException
        ?? BlockIOException.ForTransfer(request.Operation, NameOf(device), request.Offset, request.ByteCount, error, Describe(error));

    private static BlockIOException Failure(string what, IBlockDevice device, Exception error) =>
        new($"Cannot {what} '{NameOf(device)}': {Describe(error)}.", Errno.EIO, error);

    private static bool IsCancellation(Exception error, CancellationToken cancellationToken) =>
        error is OperationCanceledException && cancellationToken.IsCancellationRequested;

    private static string Describe(Exception error) => $"the device threw {error.GetType().Name} ({error.Message.TrimEnd('.')})";

    private static string NameOf(IBlockDevice device)
    {
        try
        {
            return device.Name;
        }
        catch (Exception)
        {
            // It is in trouble already; its type has to do.
            return device.GetType().Name;
        }
    }
}
