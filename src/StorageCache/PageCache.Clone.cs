using StorageCache.IO;

namespace StorageCache;

/// <content>Opening a file that is made as a clone of another.</content>
public sealed partial class PageCache
{
    /// <summary>See <see cref="Mapping.CloneAsync(string, IWriteAheadLog, CancellationToken)"/>.</summary>
    internal ValueTask<MappingClone> CloneAsync(Mapping source, string path, IWriteAheadLog? log, CancellationToken cancellationToken) =>
        new(_core.OwnThread.Run(() => CloneInOrderAsync(source, path, log, cancellationToken)));

    private async Task<MappingClone> CloneInOrderAsync(Mapping source, string path, IWriteAheadLog? log, CancellationToken cancellationToken)
    {
        await source.FlushAsync(cancellationToken).ConfigureAwait(true);
        MappingOptions options = new()
        {
            Mode = MappingMode.CreateNew,
            AccessPattern = source.AccessPattern,
            SharingDomain = source.SharingDomain,
            Shares = source.Sharing is not null,
            Log = log,
            Codec = source.Codec,
        };
        FileBlockDevice device = await OpenOnOwnThreadAsync(path, options).ConfigureAwait(true);
        if (!device.TryLock())
        {
            // Somebody has found it at once, and it is his now.
            device.Close();
            throw Throw.MakeLocked(device.Name);
        }

        Mapping? clone = null;
        try
        {
            string? whyNot = await source.TryCloneToAsync(device, cancellationToken).ConfigureAwait(true);
            if (whyNot is null)
            {
                await new FlushRequest().RunAsync(device).ConfigureAwait(true);
            }

            clone = await RegisterFileAsync(device, options, cancellationToken).ConfigureAwait(true);
            if (whyNot is null)
            {
                await JoinExtentsAsync(clone, source, cancellationToken).ConfigureAwait(true);
            }
            else
            {
                await source.CopyToAsync(clone, cancellationToken).ConfigureAwait(true);
            }

            return new MappingClone(clone, whyNot is null, whyNot);
        }
        catch
        {
            await UndoCloneAsync(device, clone).ConfigureAwait(true);
            throw;
        }
    }

    /// <summary>Takes a file away that was to be a clone.</summary>
    private async Task UndoCloneAsync(FileBlockDevice device, Mapping? clone)
    {
        try
        {
            // While it is locked: nobody else has come to use it.
            File.Delete(device.Name);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // What has failed matters more, and is on its way.
        }

        if (clone is null)
        {
            device.Close();
        }
        else
        {
            // Not flushed: what has failed may be just that, and nobody will read the file.
            await CloseInOrderAsync(clone, flush: false, CancellationToken.None).ConfigureAwait(true);
        }
    }

    private async Task<Mapping> RegisterFileAsync(FileBlockDevice device, MappingOptions options, CancellationToken cancellationToken)
    {
        using (await _registry.LockAsync(cancellationToken).ConfigureAwait(true))
        {
            ThrowIfDisposed();
            if (_files.ContainsKey(device.Identity))
            {
                // Somebody who asks for no lock has opened it meanwhile.
                throw Throw.MakeLocked(device.Name);
            }

            Mapping mapping = Register(device, device.Identity, options, options.ReadOnly, ownsDevice: true);
            _files.Add(device.Identity, mapping);
            return mapping;
        }
    }
}
