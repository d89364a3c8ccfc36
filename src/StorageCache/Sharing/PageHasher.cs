using System.IO.Hashing;
using System.Security.Cryptography;

namespace StorageCache.Sharing;

/// <summary>What a page's bytes hash to. A hash only ever names candidates, whose bytes are compared.</summary>
internal abstract class PageHasher
{
    /// <summary>Hashes with XXH3-128 under a random key, which nobody else knows: hashes cannot be made to collide on purpose.</summary>
    public static PageHasher CreateKeyed() => new KeyedXxHash(BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))));

    /// <summary>Hashes a page.</summary>
    public abstract UInt128 Hash(ReadOnlySpan<byte> page);

    private sealed class KeyedXxHash(long key) : PageHasher
    {
        public override UInt128 Hash(ReadOnlySpan<byte> page) => XxHash128.HashToUInt128(page, key);
    }
}
