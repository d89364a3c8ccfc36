using System.Security.Cryptography;
using StorageCache.Codecs;

namespace StorageCache;

/// <summary>
/// Stores each page encrypted and authenticated with AES-GCM: nobody without the key can read it, change it, or put another page, or
/// another file's page, in its place without being noticed.
/// </summary>
/// <remarks>
/// <para>
/// The trailer holds the nonce, 12 bytes that are drawn anew for each write, and then the tag of 16 bytes. The page's identity
/// (<see cref="PageIdentity.CopyTo"/>) is authenticated with it. What is not authenticated: which of several versions of a page is the
/// newest (an older one of the same page, put back, is accepted), and that a page is zeros (see <see cref="PageCodec"/>), for anybody can
/// wipe it. An engine that has to notice keeps versions, and marks that are not zero, within its pages.
/// </para>
/// <para>
/// Random nonces may collide, which would give away the XOR of two pages and let pages be forged: NIST SP 800-38D allows 2^32 writes of
/// pages under one key. Beyond that, at 16 TiB written with pages of 4 KiB, files need new keys: derive one for each file from a master
/// key and <see cref="PageCodec.FileId"/> (HKDF), and rewrite a file under another identity in time.
/// </para>
/// <para>Thread safety: all members may be called from any thread; not to be disposed of before the mappings that use it are closed.</para>
/// </remarks>
public sealed class AesGcmPageCodec : PageCodec, IEquatable<AesGcmPageCodec>, IDisposable
{
    private const int NonceSize = 12;
    private const int TagSize = 16;

    private readonly AesGcmPool _ciphers;

    /// <param name="fileId">See <see cref="PageCodec(Guid)"/>.</param>
    /// <param name="key">16, 24 or 32 bytes. Copied; the copy is wiped by <see cref="Dispose"/>.</param>
    /// <exception cref="ArgumentException"><paramref name="fileId"/> is <see cref="Guid.Empty"/>, or the key has another length.</exception>
    /// <exception cref="PlatformNotSupportedException">The platform has no AES-GCM.</exception>
    public AesGcmPageCodec(Guid fileId, ReadOnlySpan<byte> key)
        : base(fileId)
    {
        if (key.Length is not (16 or 24 or 32))
        {
            throw new ArgumentException($"The key is {key.Length} bytes long; allowed: 16, 24 or 32.", nameof(key));
        }

        if (!AesGcm.IsSupported)
        {
            throw new PlatformNotSupportedException("This platform has no AES-GCM.");
        }

        _ciphers = new AesGcmPool(key, TagSize);
    }

    /// <summary>28 bytes.</summary>
    public override int TrailerSize => NonceSize + TagSize;

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The codec has been disposed of.</exception>
    public override void Encode(in PageIdentity identity, ReadOnlySpan<byte> page, Span<byte> stored)
    {
        Span<byte> whose = stackalloc byte[PageIdentity.SizeInBytes];
        identity.CopyTo(whose);
        int content = page.Length - NonceSize - TagSize;
        Span<byte> nonce = stored.Slice(content, NonceSize);
        RandomNumberGenerator.Fill(nonce);
        AesGcm cipher = _ciphers.Rent();
        try
        {
            cipher.Encrypt(nonce, page[..content], stored[..content], stored[^TagSize..], whose);
        }
        finally
        {
            _ciphers.Return(cipher);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The codec has been disposed of.</exception>
    public override bool TryDecode(in PageIdentity identity, Span<byte> page, out PageDefect defect)
    {
        Span<byte> whose = stackalloc byte[PageIdentity.SizeInBytes];
        identity.CopyTo(whose);
        Span<byte> content = page[..^(NonceSize + TagSize)];
        AesGcm cipher = _ciphers.Rent();
        try
        {
            cipher.Decrypt(page.Slice(content.Length, NonceSize), content, page[^TagSize..], content, whose);
            defect = default;
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            defect = new PageDefect("its authentication failed: it is damaged, another page, or encrypted with another key");
            return false;
        }
        finally
        {
            _ciphers.Return(cipher);
        }
    }

    /// <summary>Wipes the key. What is stored or loaded afterwards fails.</summary>
    public void Dispose() => _ciphers.Dispose();

    /// <summary>Whether the other is of the same file and has the same key; one that has been disposed of is equal to itself only.</summary>
    public bool Equals(AesGcmPageCodec? other) =>
        ReferenceEquals(this, other) || (other is not null && other.FileId == FileId && _ciphers.HasKeyOf(other._ciphers));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as AesGcmPageCodec);

    /// <inheritdoc/>
    public override int GetHashCode() => FileId.GetHashCode();
}
