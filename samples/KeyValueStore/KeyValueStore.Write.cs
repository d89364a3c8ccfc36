using System.Buffers;
using StorageCache.KeyValueStore.Commits;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Logging;
using StorageCache.KeyValueStore.Space;
using StorageCache.KeyValueStore.Tree;

namespace StorageCache.KeyValueStore;

public sealed partial class KeyValueStore
{
    private const int SourceChunkSize = 64 * 1024;

    /// <summary>Puts a key with its value; a value the key has already is replaced.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="value">0 bytes to 64 MiB; must not change before the operation completes.</param>
    /// <param name="cancellationToken">Gives up, and the change does not take place; without effect once it is in the log.</param>
    /// <exception cref="ArgumentException">The key or the value is too long.</exception>
    /// <exception cref="InvalidOperationException">The store is open for reading only.</exception>
    /// <exception cref="StoreFailedException">
    /// The log or the file has failed. If it failed before, the change has not taken place; if it has failed under this change, that shows when the store is opened anew.
    /// </exception>
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
    /// <param name="cancellationToken">Gives up, and the change does not take place; without effect once it is in the log.</param>
    /// <exception cref="ArgumentException">The key is too long, the stream cannot be read, or it has more than 64 MiB; the change has then not taken place.</exception>
    /// <exception cref="InvalidOperationException">The store is open for reading only.</exception>
    /// <exception cref="StoreFailedException">
    /// The log or the file has failed. If it failed before, the change has not taken place; if it has failed under this change, that shows when the store is opened anew.
    /// </exception>
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

    /// <summary>Makes the changes of a batch, all of them or none: also after a crash, and no reader who comes to two of their keys one after the other sees the later one without the earlier.</summary>
    /// <param name="batch">The changes; must not change before the operation completes.</param>
    /// <param name="cancellationToken">Gives up, and no change takes place; without effect once they are in the log.</param>
    /// <remarks>
    /// A batch has its pages in the cache all at once, and its record in the log buffer: one that needs more than a quarter of the cache's pages, or more
    /// than 256 MiB of log beside its large values, is refused.
    /// </remarks>
    /// <exception cref="ArgumentException">The batch changes too much at once.</exception>
    /// <exception cref="InvalidOperationException">The store is open for reading only.</exception>
    /// <exception cref="StoreFailedException">
    /// The log or the file has failed. If it failed before, no change has taken place; if it has failed under this batch, that shows when the store is opened anew.
    /// </exception>
    public ValueTask WriteAsync(KeyValueBatch batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return WriteCoreAsync(batch, cancellationToken);
    }

    /// <summary>Removes a key and its value. False when the key is not there.</summary>
    /// <param name="key">0 to 1,024 bytes; must not change before the operation completes.</param>
    /// <param name="cancellationToken">Gives up, and the change does not take place; without effect once it is in the log.</param>
    /// <exception cref="ArgumentException">The key is too long.</exception>
    /// <exception cref="InvalidOperationException">The store is open for reading only.</exception>
    /// <exception cref="StoreFailedException">
    /// The log or the file has failed. If it failed before, the change has not taken place; if it has failed under this change, that shows when the store is opened anew.
    /// </exception>
    public ValueTask<bool> DeleteAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken = default)
    {
        ValidateKey(key.Length);
        return DeleteCoreAsync(key, cancellationToken);
    }

    private async ValueTask<bool> DeleteCoreAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        bool existed = false;
        ulong lsn = await ChangeAsync(
            async (changes, token) =>
            {
                TreeChange change = await _writer.RemoveAsync(changes, key, token).ConfigureAwait(false);
                existed = change.Existed;
                await FreeOldAsync(changes, change, token).ConfigureAwait(false);
            },
            cancellationToken).ConfigureAwait(false);
        await CompleteAsync(lsn).ConfigureAwait(false);
        return existed;
    }

    private async ValueTask PutCoreAsync(ReadOnlyMemory<byte> key, ReadOnlySequence<byte> value, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        ulong lsn = await ChangeAsync((changes, token) => PutAsync(changes, key, value, token), cancellationToken).ConfigureAwait(false);
        await CompleteAsync(lsn).ConfigureAwait(false);
    }

    private async ValueTask WriteCoreAsync(KeyValueBatch batch, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        ulong lsn = await ChangeAsync(
            async (changes, token) =>
            {
                changes.Committed = batch.Committed;
                foreach (BatchedChange change in batch.Changes)
                {
                    if (change.IsDelete)
                    {
                        await FreeOldAsync(changes, await _writer.RemoveAsync(changes, change.Key, token).ConfigureAwait(false), token).ConfigureAwait(false);
                    }
                    else
                    {
                        await PutAsync(changes, change.Key, new ReadOnlySequence<byte>(change.Value), token).ConfigureAwait(false);
                    }

                    ThrowIfTooLarge(changes);
                }
            },
            cancellationToken).ConfigureAwait(false);
        await CompleteAsync(lsn).ConfigureAwait(false);
    }

    private async ValueTask PutStreamAsync(ReadOnlyMemory<byte> key, Stream value, CancellationToken cancellationToken)
    {
        using OperationGate.Ticket ticket = Enter();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(SourceChunkSize);
        try
        {
            Memory<byte> chunk = buffer.AsMemory(0, SourceChunkSize);
            ulong lsn = await ChangeAsync((changes, token) => PutAsync(changes, key, value, chunk, token), cancellationToken).ConfigureAwait(false);
            await CompleteAsync(lsn).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Makes one commit of what an operation does to a change set.</summary>
    /// <param name="change">The operation.</param>
    /// <param name="cancellationToken">Gives up; nothing has happened then.</param>
    /// <returns>The LSN that the operation has to wait for: the commit's, or, if it has changed nothing, that of all before it (KV-19).</returns>
    private async ValueTask<ulong> ChangeAsync(Func<ChangeSet, CancellationToken, ValueTask> change, CancellationToken cancellationToken)
    {
        ThrowIfUnchangeable();
        await _checkpointer!.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);
        await _writerLock.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ThrowIfUnchangeable();
            _allocator.Reclaim(_log!.DurableLsn);
            ChangeSet changes = new(_mapping, _allocator, _verifier, _images, Counts);
            try
            {
                await change(changes, cancellationToken).ConfigureAwait(false);
                if (!changes.IsEmpty)
                {
                    await BeginChangesAsync(cancellationToken).ConfigureAwait(false);
                }

                TreeCounts counts = changes.Counts;
                ulong lsn = await _committer!.CommitAsync(changes, cancellationToken).ConfigureAwait(false);
                Volatile.Write(ref _counts, counts);

                // What changes nothing says what those before it have made of the store, and they may not be durable yet.
                return lsn != 0 ? lsn : _log.NextLsn;
            }
            catch when (_committer!.Failure is null)
            {
                changes.Abandon();
                throw;
            }
        }
        catch (LogFailedException exception)
        {
            throw new StoreFailedException(Path, exception);
        }
        finally
        {
            _writerLock.Release();
        }
    }

    /// <summary>Waits for what the store's durability asks for. Nobody gives up here: the change has happened.</summary>
    private async ValueTask CompleteAsync(ulong lsn)
    {
        _checkpointer!.Note();
        try
        {
            ValueTask done = _options.Durability == KeyValueDurability.Durable
                ? _log!.EnsureDurableAsync(lsn, CancellationToken.None)
                : _log!.EnsureWrittenAsync(lsn, CancellationToken.None);
            await done.ConfigureAwait(false);
        }
        catch (LogFailedException exception)
        {
            throw new StoreFailedException(Path, exception);
        }
    }

    private async ValueTask PutAsync(ChangeSet changes, ReadOnlyMemory<byte> key, ReadOnlySequence<byte> value, CancellationToken cancellationToken)
    {
        if (value.Length <= _limits.InlineLimit(key.Length))
        {
            ReadOnlyMemory<byte> payload = value.IsSingleSegment ? value.First : value.ToArray();
            await PutPayloadAsync(changes, key, payload, isOverflow: false, cancellationToken).ConfigureAwait(false);
            return;
        }

        await BeginChangesAsync(cancellationToken).ConfigureAwait(false);
        using OverflowWriter writer = new(_mapping, _log!, _allocator, _limits, _images, value.Length);
        foreach (ReadOnlyMemory<byte> piece in value)
        {
            await writer.AppendAsync(piece, cancellationToken).ConfigureAwait(false);
        }

        await PutReferenceAsync(changes, key, writer, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask PutAsync(ChangeSet changes, ReadOnlyMemory<byte> key, Stream value, Memory<byte> chunk, CancellationToken cancellationToken)
    {
        // The first piece comes before anything is changed: a source that keeps everybody waiting, or never says anything, leaves no traces.
        int length = await value.ReadAtLeastAsync(chunk, chunk.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        if (length <= _limits.InlineLimit(key.Length))
        {
            await PutPayloadAsync(changes, key, chunk[..length], isOverflow: false, cancellationToken).ConfigureAwait(false);
            return;
        }

        await BeginChangesAsync(cancellationToken).ConfigureAwait(false);
        using OverflowWriter writer = new(_mapping, _log!, _allocator, _limits, _images, length < chunk.Length ? length : 0);
        while (length > 0)
        {
            if (writer.Length + length > MaximumValueLength)
            {
                Throw.ValueTooLong(writer.Length + length);
            }

            await writer.AppendAsync(chunk[..length], cancellationToken).ConfigureAwait(false);
            length = await value.ReadAtLeastAsync(chunk, chunk.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        }

        await PutReferenceAsync(changes, key, writer, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask PutReferenceAsync(ChangeSet changes, ReadOnlyMemory<byte> key, OverflowWriter writer, CancellationToken cancellationToken)
    {
        OverflowReference reference = await writer.CompleteAsync(changes, cancellationToken).ConfigureAwait(false);
        byte[] payload = new byte[OverflowReference.Size];
        reference.Write(payload);
        await PutPayloadAsync(changes, key, payload, isOverflow: true, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask PutPayloadAsync(
        ChangeSet changes, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> payload, bool isOverflow, CancellationToken cancellationToken)
    {
        TreeChange change = await _writer.UpsertAsync(changes, key, payload, isOverflow, cancellationToken).ConfigureAwait(false);
        await FreeOldAsync(changes, change, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives up the pages of the value that a change has replaced or removed.</summary>
    private async ValueTask FreeOldAsync(ChangeSet changes, TreeChange change, CancellationToken cancellationToken)
    {
        if (change.OldValue is { } old)
        {
            bool isNew = changes.HasAddedValue(old.FirstPage);
            changes.FreeValue(old.FirstPage, isNew ? null : await _valuePages.FindAsync(old, cancellationToken).ConfigureAwait(false));
        }
    }

    private void ThrowIfTooLarge(ChangeSet changes)
    {
        long most = Cache.MemoryLimit / PageSize / 4;
        if (changes.Pages.Count > most)
        {
            throw new ArgumentException(
                $"The batch changes more than {most} pages of {PageSize} bytes, a quarter of the cache; allowed: batches that change fewer.", "batch");
        }
    }
}
