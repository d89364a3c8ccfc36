using System.Buffers;
using System.IO.Hashing;
using StorageCache.KeyValueStore.Concurrency;
using StorageCache.KeyValueStore.Format;
using StorageCache.KeyValueStore.Integrity;

namespace StorageCache.KeyValueStore.Space;

/// <summary>Reads large values off their chains, a page at a time; the chain is registered with <see cref="ActiveReads"/> meanwhile.</summary>
/// <remarks>
/// Each page is latched (shared) only while its bytes are copied. The chain cannot change while it is registered (KV-8), so whatever does not
/// fit is corruption, not a race. The hash is checked when the last byte has been read.
/// </remarks>
internal sealed class OverflowReader(Mapping mapping, PageLimits limits, PageVerifier verifier)
{
    private const int ChunkSize = 64 * 1024;

    private readonly OverflowReadAhead _readAhead = new(mapping, limits);

    /// <summary>Copies the value into memory of just its length.</summary>
    public async ValueTask ReadAsync(OverflowReference value, Memory<byte> destination, PageAccess access)
    {
        long page = FirstPageOf(value);
        int done = 0;
        for (int index = 0; done < value.Length; index++)
        {
            _readAhead.Advance(value, index, page);

            using PageReadLease lease = await access.ReadAsync(page).ConfigureAwait(false);
            done += CopyPage(value, lease, index, done, destination.Span[done..], ref page);
        }

        VerifyHash(value, XxHash3.HashToUInt64(destination.Span[..value.Length]));
    }

    /// <summary>Writes the value to a stream, in pieces of up to 64 KiB; no page is latched while the stream is written to.</summary>
    public async ValueTask CopyToAsync(OverflowReference value, Stream destination, CancellationToken cancellationToken)
    {
        int chunk = Math.Max(ChunkSize / limits.OverflowPayload, 1) * limits.OverflowPayload;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Min(chunk, value.Length));
        try
        {
            XxHash3 hash = new();
            long page = FirstPageOf(value);
            int done = 0;
            int buffered = 0;
            for (int index = 0; done < value.Length; index++)
            {
                _readAhead.Advance(value, index, page);

                using (PageReadLease lease = await mapping.ReadAsync(page, cancellationToken).ConfigureAwait(false))
                {
                    int count = CopyPage(value, lease, index, done, buffer.AsSpan(buffered), ref page);
                    done += count;
                    buffered += count;
                }

                if (done == value.Length || buffer.Length - buffered < limits.OverflowPayload)
                {
                    hash.Append(buffer.AsSpan(0, buffered));
                    await destination.WriteAsync(buffer.AsMemory(0, buffered), cancellationToken).ConfigureAwait(false);
                    buffered = 0;
                }
            }

            VerifyHash(value, hash.GetCurrentHashAsUInt64());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private long FirstPageOf(in OverflowReference value) => value.FirstPage < mapping.PageCount
        ? value.FirstPage
        : throw new CorruptStoreException(mapping.Path, value.FirstPage, "a value begins here, which is outside the file");

    /// <summary>Copies one page's part of the value and moves on to the next page.</summary>
    /// <returns>Bytes copied, more than 0.</returns>
    private int CopyPage(in OverflowReference value, in PageReadLease lease, int index, int done, Span<byte> destination, ref long page)
    {
        verifier.Verify(lease);
        ReadOnlySpan<byte> bytes = lease.Span;
        int expected = Math.Min(value.Length - done, limits.OverflowPayload);
        if (!PageHeader.IsPiece(bytes, value.FirstPage, index, expected))
        {
            throw new CorruptStoreException(mapping.Path, page, $"it is not piece {index} of the value that begins at page {value.FirstPage}");
        }

        bytes.Slice(PageHeader.Size, expected).CopyTo(destination);
        long next = PageHeader.Next(bytes);
        if (done + expected < value.Length && (next <= MetaPage.RootPage || next >= mapping.PageCount))
        {
            throw new CorruptStoreException(mapping.Path, page, $"the value goes on at page {next}, which is outside the file");
        }

        page = next;
        return expected;
    }

    private void VerifyHash(in OverflowReference value, ulong hash)
    {
        if (hash != value.Hash)
        {
            throw new CorruptStoreException(mapping.Path, value.FirstPage, "the value that begins here does not have its hash");
        }
    }
}
