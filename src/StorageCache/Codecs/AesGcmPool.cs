using System.Security.Cryptography;

namespace StorageCache.Codecs;

/// <summary>
/// Ciphers of one key, each for one party at a time: they are not made to be used from several threads at once. As many are made as are
/// used at the same time, and kept. Thread-safe.
/// </summary>
internal sealed class AesGcmPool : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Stack<AesGcm> _idle = new();
    private readonly int _tagSize;

    /// <summary>Pinned, so that the collector leaves no copies of it behind.</summary>
    private readonly byte[] _key;

    private bool _isDisposed;

    /// <param name="key">Copied.</param>
    /// <param name="tagSize">Bytes of a tag.</param>
    public AesGcmPool(ReadOnlySpan<byte> key, int tagSize)
    {
        _tagSize = tagSize;
        _key = GC.AllocateUninitializedArray<byte>(key.Length, pinned: true);
        key.CopyTo(_key);
    }

    /// <summary>Takes a cipher.</summary>
    /// <exception cref="ObjectDisposedException">The pool has been disposed of.</exception>
    public AesGcm Rent()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, typeof(AesGcmPageCodec));
            return _idle.TryPop(out AesGcm? cipher) ? cipher : new AesGcm(_key, _tagSize);
        }
    }

    /// <summary>Gives a cipher back.</summary>
    public void Return(AesGcm cipher)
    {
        lock (_lock)
        {
            if (!_isDisposed)
            {
                _idle.Push(cipher);
                return;
            }
        }

        cipher.Dispose();
    }

    /// <summary>Whether another pool has the same key, and neither has been disposed of.</summary>
    public bool HasKeyOf(AesGcmPool other)
    {
        // One lock after the other, for two who compare the same two could wait for each other. A copy of the key lives on the stack meanwhile.
        Span<byte> key = stackalloc byte[32];
        int length = other.CopyKeyTo(key);
        try
        {
            lock (_lock)
            {
                return length > 0 && !_isDisposed && CryptographicOperations.FixedTimeEquals(_key, key[..length]);
            }
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            CryptographicOperations.ZeroMemory(_key);
            while (_idle.TryPop(out AesGcm? cipher))
            {
                cipher.Dispose();
            }
        }
    }

    private int CopyKeyTo(Span<byte> destination)
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return 0;
            }

            _key.CopyTo(destination);
            return _key.Length;
        }
    }
}
