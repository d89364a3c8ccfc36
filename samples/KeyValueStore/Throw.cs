using System.Diagnostics.CodeAnalysis;

namespace StorageCache.KeyValueStore;

/// <summary>Raises what public entries raise, out of line.</summary>
internal static class Throw
{
    [DoesNotReturn]
    public static void KeyTooLong(int length) => throw new ArgumentException(
        $"The key has {length} bytes; allowed: 0 to {KeyValueStore.MaximumKeyLength}.", "key");

    [DoesNotReturn]
    public static void ValueTooLong(long length) => throw new ArgumentException(
        $"The value has {length} bytes or more; allowed: 0 to {KeyValueStore.MaximumValueLength}.", "value");

    [DoesNotReturn]
    public static void ReadOnly(string path) => throw new InvalidOperationException($"'{path}' is open for reading only.");

    [DoesNotReturn]
    public static void Closed(string path) => throw new ObjectDisposedException(nameof(KeyValueStore), $"The store '{path}' is closed.");
}
