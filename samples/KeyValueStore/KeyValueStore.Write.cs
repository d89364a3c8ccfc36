using System.Buffers;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Space;
using StorageCache.KeyValueStore.Tree;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    private const int SourceChunkSize = 64 * 1024;

    /// <summary>Puts a key with its value; a value the key has already is replaced.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="value">0 bytes to 64 MiB; must not change before the operation completes.</param>
    /// <param name="cancellationToken">Gives up; the change has then not taken place.</param>
    /// <exception cref="ArgumentException">The key or the value is too long.</exception>
    /// <exception cref="InvalidOperationException">The store is open for reading only.</exception>
    /// <exception cref="StoreFailedException">An earlier change stopped half way.</exception>
    public ValueTask PutAsync(ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> value, CancellationToken cancellationToken = default) =>
        PutAsync(key, new ReadOnlySequence<byte>(value), cancellationToken);

    /// <inheritdoc cref="PutAsync(ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, CancellationToken)"/>
    public ValueTask PutAsync(ReadOnlyMemory<byte> key, ReadOnlySequence<byte> value, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        if (value.Length > MaximumValueLength)
        {
            Throw.ValueTooLong(value.Length);
        }

        return PutCoreAsync(key, value, cancellationToken);
    }

    /// <summary>Puts a key with the rest of a stream as its value. Other writers wait until the stream has ended; readers do not.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="value">Read to its end, at most 64 MiB, in pieces of 64 KiB.</param>
    /// <param name="cancellationToken">Gives up; the change has then not taken place.</param>
    /// <exception cref="ArgumentException">The key is too long, the stream cannot be read, or it has more than 64 MiB; the change has then not taken place.</exception>
    /// <exception cref="InvalidOperationException">The store is open for reading only.</exception>
    /// <exception cref="StoreFailedException">An earlier change stopped half way.</exception>
    public ValueTask PutAsync(ReadOnlyMemory<byte> key, Stream value, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        ArgumentNullException.ThrowIfNull(value);
        if (!value.CanRead)
        {
            throw new ArgumentException("The stream cannot be read.", nameof(value));
        }

        return PutStreamAsync(key, value, cancellationToken);
    }

    /// <summary>Removes a key and its value. False when the key is not there.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="cancellationToken">Gives up; the change has then not taken place.</param>
    /// <exception cref="ArgumentException">The key is too long.</exception>
    /// <exception cref="InvalidOperationException">The store is open for reading only.</exception>
    /// <exception cref="StoreFailedException">An earlier change stopped half way.</exception>
    public ValueTask<bool> DeleteAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        return DeleteCoreAsync(key, cancellationToken);
    }

    private async ValueTask<bool> DeleteCoreAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        using WriterScope scope = await EnterWriterAsync(cancellationToken).ConfigureAwait(false);
        ThrowIfUnchangeable();

        // A clean file stays clean when there is nothing to remove: to put it in flux would cost two writes and could cost the store.
        if (_mayBeClean && !await _writer.ContainsAsync(key, cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        await BeginChangeAsync(cancellationToken).ConfigureAwait(false);
        TreeChange change = await _writer.RemoveAsync(key, cancellationToken).ConfigureAwait(false);
        DetachOld(change);
        return change.Existed;
    }

    private async ValueTask PutCoreAsync(ReadOnlyMemory<byte> key, ReadOnlySequence<byte> value, CancellationToken cancellationToken)
    {
        using WriterScope scope = await EnterWriterAsync(cancellationToken).ConfigureAwait(false);
        await BeginChangeAsync(cancellationToken).ConfigureAwait(false);
        if (value.Length <= _limits.InlineLimit(key.Length))
        {
            ReadOnlyMemory<byte> payload = value.IsSingleSegment ? value.First : value.ToArray();
            DetachOld(await _writer.UpsertAsync(key, payload, isOverflow: false, cancellationToken).ConfigureAwait(false));
            return;
        }

        OverflowWriter writer = new(_mapping, _allocator, _limits, _verifier);
        try
        {
            foreach (ReadOnlyMemory<byte> piece in value)
            {
                await writer.AppendAsync(piece, cancellationToken).ConfigureAwait(false);
            }

            await PutReferenceAsync(key, writer.Complete(), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            writer.Abandon();
            throw;
        }
    }

    private async ValueTask PutStreamAsync(ReadOnlyMemory<byte> key, Stream value, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(SourceChunkSize);
        try
        {
            using WriterScope scope = await EnterWriterAsync(cancellationToken).ConfigureAwait(false);
            ThrowIfUnchangeable();

            // The first piece comes before the file is marked as in flux: a source that keeps everybody waiting, or never says anything, endangers nothing.
            Memory<byte> chunk = buffer.AsMemory(0, SourceChunkSize);
            int length = await value.ReadAtLeastAsync(chunk, chunk.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            await BeginChangeAsync(cancellationToken).ConfigureAwait(false);
            if (length <= _limits.InlineLimit(key.Length))
            {
                DetachOld(await _writer.UpsertAsync(key, chunk[..length], isOverflow: false, cancellationToken).ConfigureAwait(false));
                return;
            }

            OverflowWriter writer = new(_mapping, _allocator, _limits, _verifier);
            try
            {
                while (length > 0)
                {
                    if (writer.Length + length > MaximumValueLength)
                    {
                        Throw.ValueTooLong(writer.Length + length);
                    }

                    await writer.AppendAsync(chunk[..length], cancellationToken).ConfigureAwait(false);
                    writer.Suspend();
                    length = await value.ReadAtLeastAsync(chunk, chunk.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                }

                await PutReferenceAsync(key, writer.Complete(), cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                writer.Abandon();
                throw;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask PutReferenceAsync(ReadOnlyMemory<byte> key, OverflowReference reference, CancellationToken cancellationToken)
    {
        byte[] payload = new byte[OverflowReference.Size];
        reference.Write(payload);
        DetachOld(await _writer.UpsertAsync(key, payload, isOverflow: true, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Gives up the pages of the value that a change has replaced or removed.</summary>
    private void DetachOld(in TreeChange change)
    {
        if (change.OldIsOverflow && OverflowReference.TryRead(change.OldPayload, out OverflowReference old))
        {
            _allocator.Detach(old);
        }
    }
}
